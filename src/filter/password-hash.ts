import { argon2, createHash, timingSafeEqual } from "node:crypto"

/** A stored password. `cost` tells which of two takes longer, within one scheme. */
export type PasswordHash =
  | { readonly scheme: "bcrypt"; readonly text: string; readonly cost: number }
  | {
      readonly scheme: "argon2id"
      readonly cost: number
      readonly memory: number
      readonly passes: number
      readonly lanes: number
      readonly salt: Buffer
      readonly tag: Buffer
    }
  | { readonly scheme: "sha1"; readonly cost: number; readonly digest: Buffer }

/** A hash that cannot be used; the message never holds the hash. */
export class PasswordHashError extends Error {
  override name = "PasswordHashError"
}

const accepted = "expected bcrypt ($2y$, as `htpasswd -B` writes it), argon2id ($argon2id$) or {SHA}"
/** One verification of cost 15 takes two seconds of a core. */
const bcryptCostMax = 15
/** 1 GiB, in KiB. */
const argonMemoryMax = 1024 * 1024
const argonPassesMax = 64
const argonLanesMax = 16

/** Reads the part of an htpasswd line behind the user. Throws PasswordHashError. */
export function parsePasswordHash(text: string): PasswordHash {
  if (/^\$2[abxy]?\$/.test(text)) return parseBcrypt(text)
  if (text.startsWith("$argon2")) return parseArgon(text)
  if (text.startsWith("{SHA}")) return parseSha(text)
  throw new PasswordHashError(`${nameOfRefused(text)}; ${accepted}`)
}

function parseBcrypt(text: string): PasswordHash {
  const match = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text)
  const cost = match === null ? 0 : Number(match[1])
  if (match === null || cost < 4) throw new PasswordHashError("a damaged bcrypt hash; expected $2y$, a cost of two digits from 04 and 53 characters")
  if (cost > bcryptCostMax)
    throw new PasswordHashError(`bcrypt of cost ${cost}, which takes ${2 ** (cost - 14)} seconds a login; expected at most ${bcryptCostMax}`)
  return { scheme: "bcrypt", text, cost }
}

function parseArgon(text: string): PasswordHash {
  if (!text.startsWith("$argon2id$")) throw new PasswordHashError(`another variant of argon2; ${accepted}`)
  const match = /^\$argon2id\$v=19\$m=(\d{1,10}),t=(\d{1,5}),p=(\d{1,5})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/.exec(text)
  if (match === null) throw new PasswordHashError("a damaged argon2id hash; expected $argon2id$v=19$m=…,t=…,p=…$salt$hash")
  const [memory, passes, lanes] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const wrong = memory < 8 * lanes || memory > argonMemoryMax || passes < 1 || passes > argonPassesMax || lanes < 1 || lanes > argonLanesMax
  if (wrong)
    throw new PasswordHashError(`argon2id beyond the limits; expected m from 8p to ${argonMemoryMax}, t to ${argonPassesMax}, p to ${argonLanesMax}`)
  const salt = Buffer.from(match[4]!, "base64")
  const tag = Buffer.from(match[5]!, "base64")
  return { scheme: "argon2id", cost: memory * passes, memory, passes, lanes, salt, tag }
}

function parseSha(text: string): PasswordHash {
  const digest = Buffer.from(text.slice(5), "base64")
  if (!/^\{SHA\}[A-Za-z0-9+/]{27}=$/.test(text) || digest.length !== 20)
    throw new PasswordHashError("a damaged {SHA} hash; expected 28 characters of base64")
  return { scheme: "sha1", cost: 0, digest }
}

function nameOfRefused(text: string): string {
  if (text.startsWith("$apr1$") || text.startsWith("$1$")) return "an MD5 hash, which is broken"
  if (text.startsWith("$5$") || text.startsWith("$6$")) return "a SHA-crypt hash, which this proxy does not read"
  if (text.startsWith("{SSHA}")) return "a salted SHA-1 hash, which this proxy does not read"
  if (text.startsWith("$") || text.startsWith("{")) return "a hash of an unknown kind"
  if (/^[./A-Za-z0-9]{13}$/.test(text)) return "a DES crypt hash, which is broken"
  return "no hash; a plain password is not accepted"
}

/** Whether `password` (no NUL in it) belongs to the hash. Slow schemes run in the runtime's thread pool. Rejects only when the runtime fails. */
export function verifyPassword(hash: PasswordHash, password: string): boolean | Promise<boolean> {
  if (hash.scheme === "sha1") return timingSafeEqual(createHash("sha1").update(password, "utf8").digest(), hash.digest)
  if (hash.scheme === "bcrypt") return verifyBcrypt(hash.text, password)
  const parameters = {
    message: password,
    nonce: hash.salt,
    parallelism: hash.lanes,
    tagLength: hash.tag.length,
    memory: hash.memory,
    passes: hash.passes,
  }
  return new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, tag) => (error === null ? resolve(timingSafeEqual(tag, hash.tag)) : reject(error)))
  })
}

interface NativeBcrypt {
  verify(password: Uint8Array, hash: string, algorithm: "bcrypt"): Promise<boolean>
}

/** bcrypt of the runtime, in its thread pool; null where there is none. The one place that asks. */
const native = (globalThis as { Bun?: { password?: NativeBcrypt } }).Bun?.password ?? null
/** bcrypt sees no more of a password; the runtime would hash longer ones first, which no htpasswd does. */
const bcryptOctetsMax = 72

async function verifyBcrypt(hash: string, password: string): Promise<boolean> {
  if (native !== null) return native.verify(Buffer.from(password, "utf8").subarray(0, bcryptOctetsMax), hash, "bcrypt")
  // JavaScript on this thread, in slices of at most 100 ms: for runtimes without their own.
  const { compare } = await import("bcryptjs")
  return compare(password, hash)
}
