import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"

const KEYS_MAX = 8
const LINE_CHARS_MIN = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/**
 * Reads a file of secrets, one a line: the first seals, all of them open. A new one is put on top, and the old one goes when what it sealed is over.
 * Throws with a sentence that has no secret in it.
 */
export function parseSecrets(content: string, path: string): Buffer[] {
  const lines = content
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== "" && !line.startsWith("#"))
  if (lines.length === 0) throw new Error(`${path}: expected a secret of at least ${LINE_CHARS_MIN} characters a line`)
  if (lines.length > KEYS_MAX) throw new Error(`${path}: expected at most ${KEYS_MAX} secrets`)
  const short = lines.findIndex(line => line.length < LINE_CHARS_MIN)
  if (short >= 0) throw new Error(`${path}: secret ${short + 1} is too short; expected at least ${LINE_CHARS_MIN} characters`)
  return lines.map(line => Buffer.from(hkdfSync("sha256", line, "", "bothways oidc cookies", 32)))
}

/**
 * Encrypts what cookies hold (AES-256-GCM), so that clients can neither read nor change it and all workers and instances with the same secrets can.
 *
 *   base64url( iv, 12 octets | ciphertext | tag, 16 octets ), bound to a purpose
 */
export class Sealer {
  private keys: readonly Buffer[]

  constructor(keys: readonly Buffer[]) {
    this.keys = keys
  }

  replace(keys: readonly Buffer[]): void {
    this.keys = keys
  }

  seal(text: string, purpose: string): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv("aes-256-gcm", this.keys[0]!, iv).setAAD(Buffer.from(purpose))
    return Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64url")
  }

  /** null = not sealed by us for this purpose. */
  open(sealed: string, purpose: string): string | null {
    const octets = Buffer.from(sealed, "base64url")
    if (octets.length < IV_BYTES + TAG_BYTES) return null
    for (const key of this.keys) {
      const text = openWith(key, octets, purpose)
      if (text !== null) return text
    }
    return null
  }
}

function openWith(key: Buffer, octets: Buffer, purpose: string): string | null {
  const decipher = createDecipheriv("aes-256-gcm", key, octets.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES }).setAAD(Buffer.from(purpose))
  decipher.setAuthTag(octets.subarray(-TAG_BYTES))
  try {
    return decipher.update(octets.subarray(IV_BYTES, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8")
  } catch {
    return null
  }
}
