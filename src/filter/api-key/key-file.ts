import { hash, randomBytes, timingSafeEqual } from "node:crypto"

/** Keys in one file. */
const keysMax = 100_000

/** A key that was shorter could be found by trying. */
const KEY_CHARS_MIN = 16

/** A file that cannot be used; the message names the line, and never a key. */
export class KeyFileError extends Error {
  override name = "KeyFileError"
}

/**
 * Names by key. Of keys nothing is in memory but a SHA-256 under a secret of this process over their SHA-256: how long a look-up takes tells
 * nothing that could be of use without that secret.
 */
export class KeyFile {
  private readonly secret = randomBytes(32).toString("base64")
  private readonly names = new Map<string, { readonly name: string; readonly digest: Buffer }>()

  get size(): number {
    return this.names.size
  }

  /** `digest`: SHA-256 of the key, hexadecimal. False = it is there already. */
  add(name: string, digest: string): boolean {
    const id = this.idOf(digest)
    if (this.names.has(id)) return false
    this.names.set(id, { name, digest: Buffer.from(digest, "hex") })
    return true
  }

  /** Whose key this is, null = nobody's. */
  nameOf(key: string): string | null {
    const digest = hash("sha256", Buffer.from(key, "latin1"), "hex")
    const found = this.names.get(this.idOf(digest))
    if (found === undefined) return null
    return timingSafeEqual(found.digest, Buffer.from(digest, "hex")) ? found.name : null
  }

  private idOf(digest: string): string {
    return hash("sha256", this.secret + digest, "base64")
  }
}

/**
 * Reads `name:{SHA256}hex` and `name:key` lines; empty lines and lines that start with `#` mean nothing. A name may have several keys, so that a new one
 * can be handed out before the old one goes. One bad line refuses the file. Throws KeyFileError.
 */
export function parseKeyFile(content: string, path: string): KeyFile {
  const keys = new KeyFile()
  const lines = content.replace(/^\uFEFF/, "").split(/\r?\n/)
  lines.forEach((line, index) => {
    if (line.trim() === "" || line.startsWith("#")) return
    const problem = addLine(keys, line.trimEnd())
    if (problem !== "") throw new KeyFileError(`${path}: line ${index + 1}: ${problem}`)
  })
  if (keys.size === 0) throw new KeyFileError(`${path} has no key; expected lines of the form name:{SHA256}hex or name:key`)
  return keys
}

function addLine(keys: KeyFile, line: string): string {
  const colon = line.indexOf(":")
  if (colon < 1) return "expected name:{SHA256}hex or name:key"
  const name = line.slice(0, colon)
  if (/[\x00-\x1f\x7f]/.test(name)) return "expected a name without control characters"
  if (keys.size === keysMax) return `expected at most ${keysMax} keys`
  const said = line.slice(colon + 1).trim()
  const shown = JSON.stringify(name.slice(0, 60))
  if (said.startsWith("{")) {
    const match = /^\{sha256\}([0-9a-f]{64})$/i.exec(said)
    if (match === null) return `expected {SHA256} and 64 hexadecimal digits for ${shown}`
    return keys.add(name, match[1]!.toLowerCase()) ? "" : `the key of ${shown} stands in the file already`
  }
  if (said.length < KEY_CHARS_MIN) return `the key of ${shown} is too short; expected at least ${KEY_CHARS_MIN} characters`
  if (!/^[\x21-\x7e]+$/.test(said)) return `expected a key of printable ASCII without spaces for ${shown}`
  return keys.add(name, hash("sha256", said, "hex")) ? "" : `the key of ${shown} stands in the file already`
}
