import type { JWTPayload, JWTVerifyOptions } from "jose"
import { type Fault, FAULT, log } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps, type PhaseVerdict } from "../../plugin/index.ts"
import { ClaimFields, claimsAllow, claimValues, scopesOf } from "../claims.ts"
import { keysOf, secretKeys } from "../key-options.ts"
import type { KeySource } from "../key-source.ts"
import { Unavailable } from "../published.ts"
import { LastSecrets } from "../last-secrets.ts"
import { Remembered } from "../remembered.ts"
import { DOUBLED, readToken, removeTokens, tokenSource, type TokenSource } from "../token-source.ts"
import { asymmetric, verifyToken } from "../token-verifier.ts"
import { jwtClusters, type JwtOptions, jwtOptions, jwtProblems } from "./jwt-options.ts"

/** Good tokens are checked again after this time, however long they last. */
const REMEMBER_MS = 10 * 60_000

/** Signatures that are being checked at a time. */
const CHECKS_MAX = 1024

/** What is known of a token. */
interface Outcome {
  /** null = it lets in. */
  readonly fault: Fault | null
  readonly replyFields: string
  readonly user: string
  /** Lines for the peer. */
  readonly lines: string
  /** Wall clock; from here on the token has to be checked again. */
  readonly untilMs: number
}

/** Bearer tokens (RFC 6750) that are JSON Web Tokens (RFC 7519). */
class Jwt {
  private readonly settings: JwtOptions
  private readonly place: string
  private readonly keys: KeySource
  private readonly sources: readonly TokenSource[]
  private readonly fields: ClaimFields
  private readonly rules: JWTVerifyOptions
  private readonly remembered: Remembered<Outcome>
  private readonly last = new LastSecrets<Outcome>()
  /** Checks under way, by the token's key: equal ones are made once. */
  private readonly checks = new Map<string, Promise<Outcome>>()
  private version = 0
  private readonly challenge: string
  private readonly invalid: Outcome
  private readonly unavailable: Outcome
  private readonly busy: Outcome
  private readonly refused: { add(n: number): void }
  private readonly checked: { add(n: number): void }

  constructor(settings: JwtOptions, deps: FilterDeps) {
    this.settings = settings
    this.place = deps.place
    this.keys = settings.jwks === undefined ? secretKeys(settings.secretFile!, deps) : keysOf(settings.jwks, deps)
    this.sources = settings.from.map(text => tokenSource(text, "Bearer"))
    this.fields = new ClaimFields(settings.set)
    this.rules = rulesOf(settings)
    this.remembered = new Remembered(settings.rememberedMax)
    this.challenge = `WWW-Authenticate: Bearer realm="${settings.realm}"`
    this.invalid = refusal(FAULT.tokenInvalid, `${this.challenge}, error="invalid_token"\r\n`)
    this.unavailable = refusal(FAULT.authUnavailable, "Retry-After: 5\r\n")
    this.busy = refusal(FAULT.authBusy, "Retry-After: 1\r\n")
    this.refused = deps.counter("jwt_refused", "Requests with a bearer token that is not believed or does not suffice.")
    this.checked = deps.counter("jwt_checked", "Signatures of bearer tokens that were checked; those of remembered tokens are not.")
  }

  access(x: Exchange): PhaseVerdict {
    const token = readToken(x, this.sources)
    this.fields.dropFrom(x)
    if (!this.settings.keepToken) removeTokens(x, this.sources)
    if (token === "") return this.settings.optional ? NEXT : this.ask(x)
    if (token === DOUBLED || token.length > this.settings.tokenBytesMax) return this.settle(x, this.invalid)
    const nowMs = Date.now()
    this.follow(nowMs)
    const last = this.last.recall(x, token)
    if (last !== undefined && nowMs < last.untilMs && nowMs < this.keys.goodUntilMs) return this.settle(x, last)
    return this.look(x, token, nowMs)
  }

  /** What is known of the token whatever connection it came on, or its check. */
  private look(x: Exchange, token: string, nowMs: number): PhaseVerdict {
    const key = this.remembered.keyOf(token)
    const known = nowMs < this.keys.goodUntilMs ? this.remembered.recall(key, nowMs) : undefined
    if (known === undefined) return this.decideLater(x, token, key)
    this.last.keep(x, token, known)
    return this.settle(x, known)
  }

  describe(): string {
    const { issuer, audience, scopes } = this.settings
    return `issuer ${issuer.join(" ")}, audience ${audience.join(" ")}${scopes.length === 0 ? "" : `, scopes ${scopes.join(" ")}`}`
  }

  /** What is known is worth nothing when the keys have changed. */
  private follow(nowMs: number): void {
    const { keys } = this
    if (nowMs >= keys.refreshAtMs) keys.refresh()
    if (keys.version === this.version) return
    this.version = keys.version
    this.remembered.clear()
    this.last.clear()
  }

  private async decideLater(x: Exchange, token: string, key: string): Promise<Verdict> {
    const { generation } = x
    const outcome = await this.check(key, token)
    // The client went away, and the object may serve another one.
    return x.generation === generation ? this.settle(x, outcome) : FAULT_VERDICT
  }

  private check(key: string, token: string): Promise<Outcome> {
    const same = this.checks.get(key)
    if (same !== undefined) return same
    if (this.checks.size >= CHECKS_MAX) return Promise.resolve(this.busy)
    const check = this.decide(key, token).finally(() => this.checks.delete(key))
    this.checks.set(key, check)
    return check
  }

  private async decide(key: string, token: string): Promise<Outcome> {
    this.checked.add(1)
    try {
      await this.keys.ready()
      this.follow(Date.now())
      const { version } = this.keys
      const claims = await verifyToken(token, this.keys, this.rules)
      const outcome = this.outcomeOf(claims)
      if (this.keys.version === version) this.remembered.keep(key, outcome, outcome.untilMs)
      return outcome
    } catch (error) {
      if (error instanceof Unavailable) return this.unavailable
      log.info("filter", "a bearer token was refused", { place: this.place, reason: error instanceof Error ? error.message : String(error) })
      return this.invalid
    }
  }

  private outcomeOf(claims: JWTPayload): Outcome {
    const { scopes, claims: wanted, user } = this.settings
    const has = scopesOf(claims)
    if (!scopes.every(scope => has.has(scope)) || !claimsAllow(claims, wanted)) {
      const scope = scopes.length === 0 ? "" : `, scope="${scopes.join(" ")}"`
      return { ...refusal(FAULT.scopeMissing, `${this.challenge}, error="insufficient_scope"${scope}\r\n`), untilMs: this.endOf(claims) }
    }
    return { fault: null, replyFields: "", user: claimValues(claims, user)[0] ?? "", lines: this.fields.linesOf(claims), untilMs: this.endOf(claims) }
  }

  private endOf({ exp }: JWTPayload): number {
    const latest = Date.now() + REMEMBER_MS
    return exp === undefined ? latest : Math.min(latest, exp * 1000 + this.settings.clockSkew)
  }

  private settle(x: Exchange, { fault, replyFields, user, lines }: Outcome): Verdict {
    if (fault === null) {
      x.user = user
      x.request.extra += lines
      return NEXT
    }
    this.refused.add(1)
    x.fault = fault
    x.replyFields = replyFields
    return FAULT_VERDICT
  }

  /** Without an error: nothing was wrong, something is missing (RFC 6750 section 3.1). */
  private ask(x: Exchange): Verdict {
    x.fault = FAULT.tokenInvalid
    x.replyFields = `${this.challenge}\r\n`
    return FAULT_VERDICT
  }
}

function refusal(fault: Fault, replyFields: string): Outcome {
  return { fault, replyFields, user: "", lines: "", untilMs: 0 }
}

function rulesOf(settings: JwtOptions): JWTVerifyOptions {
  const { issuer, audience, algorithms, required, expiry } = settings
  return {
    algorithms: algorithms ?? (settings.jwks === undefined ? ["HS256"] : [...asymmetric]),
    clockTolerance: settings.clockSkew / 1000,
    requiredClaims: [...required, ...(expiry === "required" ? ["exp"] : [])],
    ...(issuer.includes("*") ? {} : { issuer }),
    ...(audience.includes("*") ? {} : { audience }),
  }
}

export default defineFilter({
  name: "jwt",
  summary: "Clients must show a JSON Web Token of an issuer that is believed (RFC 7519, RFC 6750).",
  options: jwtOptions,
  build(settings, deps) {
    const jwt = new Jwt(settings, deps)
    return { access: x => jwt.access(x), describe: () => jwt.describe() }
  },
  clusters: jwtClusters,
  problems: jwtProblems,
})
