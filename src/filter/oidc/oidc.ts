import { type Fault, FAULT, log } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, NEXT, setLocalResponse, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { defineFilter, type FilterDeps, type PhaseVerdict } from "../../plugin/index.ts"
import { askByUrl, askThrough } from "../ask-outside.ts"
import { ClaimFields } from "../claims.ts"
import { remoteTimes } from "../key-options.ts"
import { Unavailable } from "../published.ts"
import { Remembered } from "../remembered.ts"
import { dropCookies } from "../request-edit.ts"
import { CookieKind, fits } from "./cookies.ts"
import { Login } from "./login.ts"
import { type OidcOptions, oidcOptions, oidcProblems, parseClientSecret } from "./oidc-options.ts"
import { LoginRefused, Provider } from "./provider.ts"
import { parseSecrets, Sealer } from "./sealer.ts"
import { keepClaims, neededClaims, parseSession, type Session, type SessionData, sessionData, sessionOf } from "./session.ts"
import { locationOf, type Visit, visitOf } from "./visit.ts"

/** Sessions that are remembered in each worker, so that their cookies are opened once. */
const SESSIONS_MAX = 10_000

/** A browser goes on with the cookie before for so long: its other requests may be under way already. */
const RENEWED_MS = 60_000

/** What becomes of a request. */
type Outcome =
  | { readonly kind: "redirect"; readonly location: string; readonly lines: string }
  | { readonly kind: "refuse"; readonly fault: Fault; readonly lines: string }
  | { readonly kind: "admit"; readonly session: Session; readonly lines: string }

/** A session with its cookie. */
interface Sealed {
  readonly session: Session
  readonly value: string
}

class Oidc {
  private readonly options: OidcOptions
  private readonly slot: number
  private readonly kind: CookieKind
  private readonly fields: ClaimFields
  private readonly needed: ReadonlySet<string>
  private readonly sealer: Sealer
  private readonly provider: Provider
  private readonly login: Login
  private readonly purpose: string
  private readonly challenge: string
  private readonly known = new Remembered<Session>(SESSIONS_MAX)
  /** Sessions that were renewed, by the cookie before. */
  private readonly renewed = new Remembered<Sealed>(SESSIONS_MAX)
  private readonly renewals = new Map<string, Promise<Sealed>>()
  private readonly logins: { add(n: number): void }
  private readonly failures: { add(n: number): void }

  constructor(options: OidcOptions, deps: FilterDeps) {
    this.options = options
    this.slot = deps.slot()
    this.kind = new CookieKind(options.cookie.name, options.cookie.secure)
    this.fields = new ClaimFields(options.set)
    this.needed = neededClaims(options, this.fields)
    this.sealer = sealerOf(options.sessionSecretFile, deps, () => this.known.clear())
    this.provider = providerOf(options, deps)
    this.login = new Login(options, this.provider, this.sealer, this.kind)
    this.purpose = `session ${options.issuer} ${options.clientId} ${this.kind.name}`
    this.challenge = `WWW-Authenticate: OpenIDConnect realm="${new URL(options.issuer).host}"\r\n`
    this.logins = deps.counter("oidc_logins", "Log-ins that ended well.")
    this.failures = deps.counter("oidc_failures", "Log-ins that did not.")
  }

  access(x: Exchange): PhaseVerdict {
    const { options, kind } = this
    const cookies = kind.read(x)
    this.fields.dropFrom(x)
    if (options.passAccessToken) x.request.remove(NAME.authorization)
    if (cookies.size > 0) dropCookies(x, kind.name, true)
    const visit = (): Visit => visitOf(x, cookies, options.publicUrl, options.cookie.secure)
    if (x.path === options.callbackPath) return this.later(x, this.comeBack(visit()))
    if (x.path === options.logoutPath) return this.later(x, this.leave(visit()))
    const value = kind.join(cookies)
    const session = value === "" ? null : this.open(value)
    if (session === null) return this.later(x, this.ask(visit()))
    if (session.data.renewAt > 0 && Date.now() >= session.data.renewAt * 1000) return this.renewLater(x, value, session, visit())
    return this.settle(x, { kind: "admit", session, lines: "" })
  }

  response(x: Exchange): Verdict {
    const lines = x.slots[this.slot]
    if (typeof lines === "string") x.response.extra += lines
    return NEXT
  }

  describe(): string {
    return `${this.options.issuer} as ${this.options.clientId}`
  }

  /** The session of a cookie, null when it is over or was not made by us. */
  private open(value: string): Session | null {
    const key = this.known.keyOf(value)
    const nowMs = Date.now()
    const session = this.known.recall(key, nowMs)
    if (session !== undefined) return session
    const text = this.sealer.open(value, this.purpose)
    const data = text === null ? null : parseSession(text)
    // The rules may be others than when the cookie was made.
    if (data === null || nowMs >= data.until * 1000 || !this.login.allows(data.claims)) return null
    const opened = sessionOf(data, this.options, this.fields)
    this.known.keep(key, opened, data.until * 1000)
    return opened
  }

  private renewLater(x: Exchange, value: string, session: Session, visit: Visit): PhaseVerdict {
    const key = this.known.keyOf(value)
    const again = this.renewed.recall(key, Date.now())
    if (again !== undefined && Date.now() < again.session.data.renewAt * 1000) return this.settle(x, this.admitAgain(again, visit))
    return this.later(x, this.renew(key, again?.session ?? session, visit))
  }

  private async renew(key: string, session: Session, visit: Visit): Promise<Outcome> {
    let renewal = this.renewals.get(key)
    if (renewal === undefined) {
      renewal = this.fetchRenewal(session.data).finally(() => this.renewals.delete(key))
      this.renewals.set(key, renewal)
    }
    try {
      const sealed = await renewal
      this.renewed.keep(key, sealed, Date.now() + RENEWED_MS)
      return this.admitAgain(sealed, visit)
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error
      log.info("filter", "a session could not be renewed", { issuer: this.options.issuer, reason: error.message })
      return this.ask(visit)
    }
  }

  private async fetchRenewal(data: SessionData): Promise<Sealed> {
    const { tokens, claims } = await this.login.renew(data.refreshToken, data.claims)
    return this.seal(sessionData(tokens, keepClaims(claims, this.needed), this.options, data))
  }

  private admitAgain({ session, value }: Sealed, { cookies }: Visit): Outcome {
    return { kind: "admit", session, lines: this.kind.setChunks(value, session.data.until - Date.now() / 1000, cookies) }
  }

  /** Throws LoginRefused where the rules do not let the user in, or the session is too large for cookies. */
  private seal(data: SessionData): Sealed {
    if (!this.login.allows(data.claims)) throw new LoginRefused(`the rules do not let ${JSON.stringify(data.claims.sub)} in`)
    // The ID token is for the provider's log-out alone, which can do without.
    for (const kept of [data, { ...data, idToken: "" }]) {
      const value = this.sealer.seal(JSON.stringify(kept), this.purpose)
      if (fits(value)) return { session: sessionOf(kept, this.options, this.fields), value }
    }
    throw new LoginRefused("the session does not fit into cookies; name fewer claims, or leave out passAccessToken")
  }

  /** Nobody is logged in: people are led to the provider, programs are told. */
  private async ask(visit: Visit): Promise<Outcome> {
    if (!visit.interactive) return { kind: "refuse", fault: FAULT.loginRequired, lines: this.challenge + this.kind.dropChunks(visit.cookies) }
    return { kind: "redirect", ...(await this.login.begin(visit)) }
  }

  private async comeBack(visit: Visit): Promise<Outcome> {
    const { tokens, claims, location, lines } = await this.login.finish(visit)
    const { session, value } = this.seal(sessionData(tokens, keepClaims(claims, this.needed), this.options, null))
    this.logins.add(1)
    return { kind: "redirect", location, lines: lines + this.kind.setChunks(value, session.data.until - Date.now() / 1000, visit.cookies) }
  }

  private async leave({ base, cookies }: Visit): Promise<Outcome> {
    const value = this.kind.join(cookies)
    const session = value === "" ? null : this.open(value)
    const location = await this.endSession(session?.data.idToken ?? "", locationOf(base, this.options.afterLogout))
    return { kind: "redirect", location, lines: this.kind.dropChunks(cookies) }
  }

  /**
   * OpenID Connect RP-Initiated Logout 1.0. Also for whoever has no session here: the rules may have kept out the user that the provider knows. A provider
   * that is down ends nothing; the session here is over all the same.
   */
  private async endSession(idToken: string, home: string): Promise<string> {
    const endpoint = await this.provider.metadata().then(
      ({ endSession }) => endSession,
      () => null,
    )
    if (endpoint === null) return home
    const url = new URL(endpoint)
    if (idToken !== "") url.searchParams.set("id_token_hint", idToken)
    url.searchParams.set("client_id", this.options.clientId)
    url.searchParams.set("post_logout_redirect_uri", home)
    return url.href
  }

  private async later(x: Exchange, work: Promise<Outcome>): Promise<Verdict> {
    const { generation } = x
    const outcome = await work.catch((error: unknown) => this.failure(error))
    // The client went away, and the object may serve another one.
    return x.generation === generation ? this.settle(x, outcome) : FAULT_VERDICT
  }

  private failure(error: unknown): Outcome {
    if (error instanceof Unavailable) return { kind: "refuse", fault: FAULT.authUnavailable, lines: "Retry-After: 5\r\n" }
    if (!(error instanceof LoginRefused)) throw error
    this.failures.add(1)
    log.info("filter", "a log-in failed", { issuer: this.options.issuer, reason: error.message })
    return { kind: "refuse", fault: FAULT.loginFailed, lines: "" }
  }

  private settle(x: Exchange, outcome: Outcome): Verdict {
    if (outcome.kind === "admit") {
      x.user = outcome.session.user
      x.request.extra += outcome.session.lines
      if (outcome.lines !== "") x.slots[this.slot] = outcome.lines
      return NEXT
    }
    if (outcome.kind === "redirect") {
      setLocalResponse(x, 302, `Location: ${outcome.location}\r\nCache-Control: no-store\r\n${outcome.lines}`, null)
      return ANSWER
    }
    x.fault = outcome.fault
    x.replyFields = outcome.lines
    return FAULT_VERDICT
  }
}

function sealerOf(file: string, deps: FilterDeps, changed: () => void): Sealer {
  const path = deps.path(file)
  const content = deps.watchFile(path, text => {
    sealer.replace(parseSecrets(text, path))
    changed()
  })
  const sealer = new Sealer(parseSecrets(content, path))
  return sealer
}

function providerOf(options: OidcOptions, deps: FilterDeps): Provider {
  const { issuer, clientId, cluster } = options
  const secret = secretOf(options.clientSecretFile, deps)
  const ask = cluster === undefined ? askByUrl : askThrough(deps.cluster(cluster))
  return new Provider({ issuer, clientId, secret, through: cluster ?? "", times: remoteTimes(options.provider) }, ask)
}

function secretOf(file: string | undefined, deps: FilterDeps): () => string {
  if (file === undefined) return () => ""
  const path = deps.path(file)
  let secret = ""
  const take = (content: string): void => {
    secret = parseClientSecret(content, path)
  }
  take(deps.watchFile(path, take))
  return () => secret
}

export default defineFilter({
  name: "oidc",
  summary: "People log in at an OpenID Connect provider; the session is an encrypted cookie.",
  options: oidcOptions,
  build(options, deps) {
    const oidc = new Oidc(options, deps)
    return { access: x => oidc.access(x), response: x => oidc.response(x), describe: () => oidc.describe() }
  },
  clusters: ({ cluster }) => (cluster === undefined ? [] : [{ at: ["cluster"], name: cluster }]),
  problems: oidcProblems,
})
