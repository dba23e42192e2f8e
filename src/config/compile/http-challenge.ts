// HOT
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ANSWER, type Exchange, NEXT, setLocalResponse, type Step, type Verdict } from "../../flow/index.ts"

const PREFIX = "/.well-known/acme-challenge/"
const TOKEN = /^[A-Za-z0-9_-]{1,200}$/

/** The file that proves a token. */
export function httpTokenPath(folder: string, token: string): string {
  return join(folder, "challenges", "http-01", token)
}

/**
 * Answers an authority that validates a name (RFC 8555 section 8.3). What is being proven stands in files, so that all workers know it, and all instances that
 * share the folder; a token that nobody knows goes its way, for an origin may have challenges of its own.
 */
export function httpChallengeStep(folder: string): Step {
  // allow(closure): once for the listener
  return (x: Exchange): Verdict => {
    if (!x.path.startsWith(PREFIX)) return NEXT
    const token = x.path.slice(PREFIX.length)
    const authorization = TOKEN.test(token) ? readToken(folder, token) : null
    if (authorization === null) return NEXT
    setLocalResponse(x, 200, "Content-Type: application/octet-stream\r\nCache-Control: no-store\r\n", authorization)
    return ANSWER
  }
}

function readToken(folder: string, token: string): Buffer | null {
  try {
    return readFileSync(httpTokenPath(folder, token))
  } catch {
    return null
  }
}
