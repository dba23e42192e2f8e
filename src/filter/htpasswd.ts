import { type PasswordHash, PasswordHashError, parsePasswordHash } from "./password-hash.ts"

/** Users in one file. Reading so many takes some 30 ms of the thread. */
const usersMax = 20_000

/** Users of one htpasswd file. */
export interface Htpasswd {
  readonly users: ReadonlyMap<string, PasswordHash>
  /** What is checked for a user who does not exist, so that the time of the answer tells nobody who does; null when there are no users. */
  readonly decoy: PasswordHash | null
}

/** A file that cannot be used; the message names the line. */
export class HtpasswdError extends Error {
  override name = "HtpasswdError"
}

/**
 * Reads `user:hash` lines; empty lines and lines that start with `#` mean nothing, what follows a second colon is a comment.
 * One bad line refuses the file: a user whom the operator believes to be protected must not fall through. So does a file without users, which is one that
 * somebody is just writing far more often than a wish to lock everybody out. Throws HtpasswdError.
 */
export function parseHtpasswd(content: string, name: string): Htpasswd {
  const users = new Map<string, PasswordHash>()
  const lines = content.replace(/^\uFEFF/, "").split(/\r?\n/)
  lines.forEach((line, index) => {
    if (line.trim() === "" || line.startsWith("#")) return
    const problem = addLine(users, line)
    if (problem !== "") throw new HtpasswdError(`${name}: line ${index + 1}: ${problem}`)
  })
  if (users.size === 0) throw new HtpasswdError(`${name} names no user; expected lines of the form user:hash`)
  return { users, decoy: decoyOf([...users.values()]) }
}

function addLine(users: Map<string, PasswordHash>, line: string): string {
  const colon = line.indexOf(":")
  if (colon < 1) return "expected user:hash"
  const user = line.slice(0, colon)
  const shown = JSON.stringify(user.length > 60 ? `${user.slice(0, 60)}…` : user)
  if (/[\x00-\x1f\x7f]/.test(user)) return "expected a user without control characters"
  if (users.has(user)) return `the user ${shown} stands in the file already`
  if (users.size === usersMax) return `expected at most ${usersMax} users`
  try {
    users.set(
      user,
      parsePasswordHash(
        line
          .slice(colon + 1)
          .split(":", 1)[0]!
          .trimEnd(),
      ),
    )
  } catch (error) {
    if (error instanceof PasswordHashError) return `user ${shown} has ${error.message}`
    throw error
  }
  return ""
}

/** A hash of the scheme that most users have, the dearest of its kind. */
function decoyOf(hashes: readonly PasswordHash[]): PasswordHash | null {
  const counts = new Map<string, number>()
  for (const { scheme } of hashes) counts.set(scheme, (counts.get(scheme) ?? 0) + 1)
  let best: PasswordHash | null = null
  for (const hash of hashes) {
    const more = best === null ? 1 : counts.get(hash.scheme)! - counts.get(best.scheme)!
    if (best === null || more > 0 || (more === 0 && hash.cost > best.cost)) best = hash
  }
  return best
}
