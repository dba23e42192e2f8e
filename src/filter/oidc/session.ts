import type { JWTPayload } from "jose"
import type { ClaimFields } from "../claims.ts"
import { claimValues } from "../claims.ts"
import type { OidcOptions } from "./oidc-options.ts"
import type { Tokens } from "./provider.ts"

/** A log-in, as its cookie keeps it. Times in seconds since 1970. */
export interface SessionData {
  /** What the filter needs of the claims. */
  readonly claims: JWTPayload
  readonly until: number
  /** When the tokens have to be renewed; 0 = never. */
  readonly renewAt: number
  readonly refreshToken: string
  readonly idToken: string
  readonly accessToken: string
}

/** A log-in with what is made of it for each request. */
export interface Session {
  readonly data: SessionData
  readonly user: string
  /** Lines for the peer. */
  readonly lines: string
}

/** The claims that a session keeps: a cookie has no room for all of them. */
export function neededClaims({ user, claims }: OidcOptions, fields: ClaimFields): ReadonlySet<string> {
  const paths = [user, "sub", "email", "email_verified", ...Object.keys(claims), ...fields.claims]
  return new Set(paths.flatMap(path => [path, path.split(".", 1)[0]!]))
}

/** Makes the data of a session from what the provider gave. `before`: the session that is renewed. */
export function sessionData(tokens: Tokens, claims: JWTPayload, options: OidcOptions, before: SessionData | null): SessionData {
  const now = Math.floor(Date.now() / 1000)
  const refreshToken = tokens.refreshToken === "" ? (before?.refreshToken ?? "") : tokens.refreshToken
  // Without a refresh token nothing can be renewed; a token whose end is not said is looked at again after five minutes.
  const seconds = tokens.seconds === 0 ? 300 : tokens.seconds
  return {
    claims,
    until: before?.until ?? now + Math.floor(options.session / 1000),
    renewAt: refreshToken === "" ? 0 : now + seconds,
    refreshToken,
    idToken: tokens.idToken === "" ? (before?.idToken ?? "") : tokens.idToken,
    accessToken: options.passAccessToken ? tokens.accessToken : "",
  }
}

export function keepClaims(claims: JWTPayload, needed: ReadonlySet<string>): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => needed.has(name)))
}

export function sessionOf(data: SessionData, options: OidcOptions, fields: ClaimFields): Session {
  const token = data.accessToken === "" || /[^\x21-\x7e]/.test(data.accessToken) ? "" : `Authorization: Bearer ${data.accessToken}\r\n`
  return { data, user: claimValues(data.claims, options.user)[0] ?? "", lines: fields.linesOf(data.claims) + token }
}

/** Reads what `JSON.stringify` of a session made; it was sealed by us, maybe by another version. */
export function parseSession(text: string): SessionData | null {
  const said = JSON.parse(text) as Partial<SessionData>
  if (typeof said.until !== "number" || typeof said.renewAt !== "number" || typeof said.claims !== "object" || said.claims === null) return null
  const { claims, until, renewAt, refreshToken = "", idToken = "", accessToken = "" } = said
  return { claims, until, renewAt, refreshToken, idToken, accessToken }
}
