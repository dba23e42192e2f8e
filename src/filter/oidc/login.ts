import { hash, randomBytes, timingSafeEqual } from "node:crypto"
import type { JWTPayload } from "jose"
import { claimsAllow, claimValues } from "../claims.ts"
import type { CookieKind } from "./cookies.ts"
import type { OidcOptions } from "./oidc-options.ts"
import { LoginRefused, type Provider, type Tokens } from "./provider.ts"
import type { Sealer } from "./sealer.ts"
import { locationOf, type Visit } from "./visit.ts"

/** Time from the first redirection to the return. */
const LOGIN_SECONDS = 600

/** Log-ins that one browser may have begun; with more of them the old ones go, or its requests would grow too large. */
const LOGINS_MAX = 5

/** A log-in that is under way, as its cookie keeps it. */
interface Begun {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly base: string
  readonly returnTo: string
  readonly at: number
}

/** The log-in itself: authorization code with PKCE (RFC 6749 section 4.1, RFC 7636), state and nonce. */
export class Login {
  private readonly options: OidcOptions
  private readonly provider: Provider
  private readonly sealer: Sealer
  private readonly kind: CookieKind
  private readonly purpose: string

  constructor(options: OidcOptions, provider: Provider, sealer: Sealer, kind: CookieKind) {
    this.options = options
    this.provider = provider
    this.sealer = sealer
    this.kind = kind
    this.purpose = `login ${options.issuer} ${options.clientId}`
  }

  /** Where the browser is sent to, and lines that let it come back. */
  async begin({ base, returnTo, cookies }: Visit): Promise<{ location: string; lines: string }> {
    const { options, kind } = this
    const { authorization } = await this.provider.metadata()
    const begun: Begun = { state: random(), nonce: random(), verifier: random(), base, returnTo, at: nowSeconds() }
    const url = new URL(authorization)
    const said = {
      ...options.parameters,
      response_type: "code",
      client_id: options.clientId,
      redirect_uri: base + options.callbackPath,
      scope: options.scopes.join(" "),
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: hash("sha256", begun.verifier, "base64url"),
      code_challenge_method: "S256",
    }
    for (const [name, value] of Object.entries(said)) url.searchParams.set(name, value)
    const sealed = this.sealer.seal(JSON.stringify(begun), this.purpose)
    return { location: url.href, lines: this.dropOld(cookies) + kind.setLine(this.nameFor(begun.state), sealed, LOGIN_SECONDS) }
  }

  /** The browser is back: what the provider says of its user, and where it wanted to go. Throws LoginRefused or Unavailable. */
  async finish({ query, cookies }: Visit): Promise<{ tokens: Tokens; claims: JWTPayload; location: string; lines: string }> {
    const begun = this.begunBy(query.get("state") ?? "", cookies)
    const issuer = query.get("iss")
    if (issuer !== null && issuer !== this.options.issuer) throw new LoginRefused("the answer is of another provider (RFC 9207)")
    const error = query.get("error")
    if (error !== null) throw new LoginRefused(`the provider says ${error.slice(0, 100)}`)
    const code = query.get("code")
    if (code === null || code === "") throw new LoginRefused("the provider sent no code")
    const form = { grant_type: "authorization_code", code, redirect_uri: begun.base + this.options.callbackPath, code_verifier: begun.verifier }
    const tokens = await this.provider.tokens(form, begun.nonce)
    const claims = await this.claimsOf(tokens)
    return { tokens, claims, location: locationOf(begun.base, begun.returnTo), lines: this.kind.dropLine(this.nameFor(begun.state)) }
  }

  /** New tokens for old ones. `claims`: what the session knows, for a provider that sends no ID token again (OpenID Connect Core section 12.2). */
  async renew(refreshToken: string, claims: JWTPayload): Promise<{ tokens: Tokens; claims: JWTPayload }> {
    const tokens = await this.provider.tokens({ grant_type: "refresh_token", refresh_token: refreshToken }, null)
    if (tokens.claims === null) return { tokens, claims }
    if (tokens.claims.sub !== claims.sub) throw new LoginRefused("the renewed tokens are somebody else's")
    return { tokens, claims: await this.claimsOf(tokens) }
  }

  /** Whether the rules let this user in. */
  allows(claims: JWTPayload): boolean {
    const { emailDomains } = this.options
    if (!claimsAllow(claims, this.options.claims)) return false
    if (emailDomains === undefined) return true
    const email = claimValues(claims, "email")[0] ?? ""
    const at = email.lastIndexOf("@")
    // Some providers say it as text.
    const verified = claimValues(claims, "email_verified")[0] === "true"
    return verified && at > 0 && emailDomains.includes(email.slice(at + 1).toLowerCase())
  }

  private async claimsOf({ claims, accessToken }: Tokens): Promise<JWTPayload> {
    return this.options.userinfo ? { ...(await this.provider.userinfo(accessToken, claims!.sub)), ...claims } : claims!
  }

  /** The log-in that this state belongs to: only the browser that began it has its cookie. */
  private begunBy(state: string, cookies: ReadonlyMap<string, string>): Begun {
    const text = this.sealer.open(cookies.get(this.nameFor(state)) ?? "", this.purpose)
    if (text === null) throw new LoginRefused("this browser did not begin the log-in, or lost its cookie")
    const begun = JSON.parse(text) as Begun
    if (!isSame(begun.state, state)) throw new LoginRefused("the log-in is another one (state)")
    if (nowSeconds() - begun.at > LOGIN_SECONDS) throw new LoginRefused("the log-in took too long")
    return begun
  }

  private nameFor(state: string): string {
    return `${this.kind.name}.login-${state.replace(/[^A-Za-z0-9_-]/g, "").slice(0, 10)}`
  }

  private dropOld(cookies: ReadonlyMap<string, string>): string {
    const begun = [...cookies.keys()].filter(name => name.startsWith(`${this.kind.name}.login-`))
    return begun.length < LOGINS_MAX ? "" : begun.map(name => this.kind.dropLine(name)).join("")
  }
}

function random(): string {
  return randomBytes(32).toString("base64url")
}

function isSame(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right))
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
