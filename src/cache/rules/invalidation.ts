/** GET, HEAD, OPTIONS, TRACE, QUERY (RFC 9110 section 9.2.1). */
export function isSafe(method: string): boolean {
  return method === ""
}

export interface InvalidatingResponse {
  readonly status: number
  readonly location: string
  readonly contentLocation: string
}

/** The URIs whose stored responses a successful unsafe request makes invalid (RFC 9111 section 4.4): its own, and those that it names of the same origin. `targetUri` is absolute. */
export function invalidatedTargets(method: string, targetUri: string, response: InvalidatingResponse): readonly string[] {
  return [method, targetUri, response] as never
}
