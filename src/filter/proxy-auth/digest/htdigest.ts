import { type DigestAlgorithm, digestOf } from "./digest-response.ts"

/** Users in one file. */
const usersMax = 20_000

/** A file that cannot be used; the message names the line and never a hash. */
export class HtdigestError extends Error {
  override name = "HtdigestError"
}

/** H(user:realm:password) of the users of one realm, by algorithm. */
export class Htdigest {
  private readonly users = new Map<string, Map<DigestAlgorithm, string>>()
  /** Names by `algorithm hash(name:realm)`. */
  private readonly names = new Map<string, string>()
  private readonly realm: string

  constructor(realm: string) {
    this.realm = realm
  }

  get size(): number {
    return this.users.size
  }

  /** Null = nobody, or none of this algorithm. */
  find(user: string, algorithm: DigestAlgorithm): string | null {
    return this.users.get(user)?.get(algorithm) ?? null
  }

  /** Whose hash this is, "" = nobody's. */
  nameOf(userhash: string, algorithm: DigestAlgorithm): string {
    return this.names.get(`${algorithm} ${userhash}`) ?? ""
  }

  /** Why it cannot be added, "" when it was. */
  add(user: string, algorithm: DigestAlgorithm, ha1: string): string {
    const known = this.users.get(user)
    if (known?.has(algorithm) === true) return `the user ${JSON.stringify(user)} stands in the file already with ${algorithm}`
    if (known === undefined && this.users.size === usersMax) return `expected at most ${usersMax} users`
    this.users.set(user, (known ?? new Map<DigestAlgorithm, string>()).set(algorithm, ha1))
    const octets = Buffer.from(`${user}:${this.realm}`, "utf8").toString("latin1")
    this.names.set(`${algorithm} ${digestOf(algorithm, octets)}`, user)
    return ""
  }
}

/**
 * Reads `user:realm:hash` lines as Apache's htdigest writes them; empty lines and lines that start with `#` mean nothing. 32 digits are MD5, 64 are SHA-256,
 * or SHA-512-256 behind `{SHA-512-256}`. Lines of other realms are for others. One bad line refuses the file, and so does one without a user of this realm.
 * Throws HtdigestError.
 */
export function parseHtdigest(content: string, path: string, realm: string): Htdigest {
  const users = new Htdigest(realm)
  const lines = content.replace(/^\uFEFF/, "").split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue
    const problem = addLine(users, line.trimEnd(), realm)
    if (problem !== "") throw new HtdigestError(`${path}: line ${index + 1}: ${problem}`)
  }
  if (users.size === 0)
    throw new HtdigestError(`${path} names no user of the realm ${JSON.stringify(realm)}; expected lines of the form user:realm:hash`)
  return users
}

function addLine(users: Htdigest, line: string, realm: string): string {
  const match = /^([^:]+):([^:]*):(?:\{(SHA-256|SHA-512-256)\})?([0-9a-f]+)$/i.exec(line)
  if (match === null) return "expected user:realm:hash, the hash in hexadecimal"
  const [, user, of, prefix, ha1] = match as unknown as [string, string, string, string | undefined, string]
  if (/[\x00-\x1f\x7f]/.test(user)) return "expected a user without control characters"
  const algorithm = prefix === undefined ? (ha1.length === 32 ? "MD5" : "SHA-256") : (prefix.toUpperCase() as DigestAlgorithm)
  if (ha1.length !== (algorithm === "MD5" ? 32 : 64))
    return `expected 32 digits (MD5) or 64 (SHA-256, SHA-512-256) for ${JSON.stringify(user.slice(0, 60))}`
  return of === realm ? users.add(user, algorithm, ha1.toLowerCase()) : ""
}
