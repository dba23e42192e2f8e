/**
 * `no-name`: it does not exist; `no-address`: it exists without an address; `timeout`, `failed`: the servers could not say; `bad-name`: no name that could
 * be asked for; `blocked`: a list forbids it; `busy`: too many look-ups at once; `closed`: the resolver is closed.
 */
export type ResolveErrorCode = "no-name" | "no-address" | "timeout" | "failed" | "bad-name" | "blocked" | "busy" | "closed"

/** Why a name has no address. A value for callbacks; it is never thrown. */
export class ResolveError extends Error {
  override name = "ResolveError"
  readonly code: ResolveErrorCode

  constructor(code: ResolveErrorCode, host: string, reason: string) {
    super(`${JSON.stringify(host)} does not resolve: ${reason}`)
    this.code = code
  }
}
