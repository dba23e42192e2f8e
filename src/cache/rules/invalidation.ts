/** Methods that change nothing (RFC 9110 section 9.2.1, RFC 4918, RFC 3253, RFC 5323, the QUERY method). Any other may, also one that nobody knows. */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"])

export function isSafe(method: string): boolean {
  return SAFE.has(method)
}

/** Joined values; "" = absent. */
export interface InvalidatingResponse {
  readonly status: number
  readonly location: string
  readonly contentLocation: string
}

/** A longer reference is none that a cache would have stored something under. */
export const referenceLengthMax = 8192

/**
 * The URIs whose stored responses a successful unsafe request makes invalid (RFC 9111 section 4.4): its own, as it is given, and those of the same origin that Location
 * and Content-Location name. `targetUri` is absolute.
 */
export function invalidatedTargets(method: string, targetUri: string, response: InvalidatingResponse): readonly string[] {
  if (isSafe(method) || response.status < 200 || response.status > 399) return []
  const targets = new Set([targetUri])
  for (const reference of [response.location, response.contentLocation]) {
    const uri = sameOriginUri(targetUri, reference)
    if (uri !== "") targets.add(uri)
  }
  return [...targets]
}

/** The absolute form of a reference, without a fragment; "" = none, or of another origin: nobody may empty a stranger's cache. */
function sameOriginUri(targetUri: string, reference: string): string {
  if (reference === "" || reference.length > referenceLengthMax || !URL.canParse(reference, targetUri)) return ""
  const target = new URL(targetUri)
  const uri = new URL(reference, target)
  if (uri.origin !== target.origin || uri.origin === "null") return ""
  return uri.origin + uri.pathname + uri.search
}
