import type { JWTPayload, JWTVerifyOptions } from "jose"
import { log } from "../../../base/index.ts"
import type { FilterDeps } from "../../../plugin/index.ts"
import { claimsAllow, claimValues } from "../../claims.ts"
import { keysOf, secretKeys } from "../../key-options.ts"
import type { KeySource } from "../../key-source.ts"
import { Unavailable } from "../../published.ts"
import { Remembered } from "../../remembered.ts"
import { asymmetric, verifyToken } from "../../token-verifier.ts"
import { BUSY, isIn, isName, type Outcome, type Pending, pendingOf, type Told, UNAVAILABLE, WRONG } from "../outcome.ts"
import type { TokenOptions } from "./bearer-options.ts"

/** Good tokens are checked again after this time, however long they last. */
const REMEMBER_MS = 10 * 60_000
/** Signatures that are being checked at a time. */
const CHECKS_MAX = 256
/** Groups of one token. */
const GROUPS_MAX = 1000

/** JSON Web Tokens: what their issuer says of the bearer. */
export class WebTokens {
  private readonly settings: TokenOptions
  private readonly place: string
  private readonly keys: KeySource
  private readonly rules: JWTVerifyOptions
  private readonly remembered: Remembered<Outcome>
  private readonly checks = new Map<string, Promise<Outcome>>()
  private readonly changed: () => void
  private version = 0

  /** `changed` is called when what was good must be checked again. */
  constructor(settings: TokenOptions, rememberedMax: number, deps: FilterDeps, changed: () => void) {
    this.settings = settings
    this.place = deps.place
    this.changed = changed
    this.keys = settings.jwks === undefined ? secretKeys(settings.secretFile!, deps) : keysOf(settings.jwks, deps)
    this.remembered = new Remembered(rememberedMax)
    this.rules = rulesOf(settings)
  }

  get text(): string {
    return `tokens of ${this.settings.issuer.join(" ")} for ${this.settings.audience.join(" ")}`
  }

  /** What is known is worth nothing when the keys have changed. */
  follow(nowMs: number): void {
    const { keys } = this
    if (nowMs >= keys.refreshAtMs) keys.refresh()
    if (keys.version === this.version) return
    this.version = keys.version
    this.remembered.clear()
    this.changed()
  }

  check(token: string, told: Told): Outcome | Pending {
    const key = this.remembered.keyOf(token)
    const nowMs = Date.now()
    const known = nowMs < this.keys.goodUntilMs ? this.remembered.recall(key, nowMs) : undefined
    if (known !== undefined) return known
    let check = this.checks.get(key)
    if (check === undefined) {
      if (this.checks.size >= CHECKS_MAX) return BUSY
      check = this.decide(key, token).finally(() => this.checks.delete(key))
      this.checks.set(key, check)
    }
    return pendingOf(check, told)
  }

  private async decide(key: string, token: string): Promise<Outcome> {
    try {
      await this.keys.ready()
      this.follow(Date.now())
      const { version } = this.keys
      const outcome = this.outcomeOf(await verifyToken(token, this.keys, this.rules))
      if (outcome.untilMs > 0 && this.keys.version === version) this.remembered.keep(key, outcome, outcome.untilMs)
      return outcome
    } catch (error) {
      if (error instanceof Unavailable) return UNAVAILABLE
      log.info("filter", "a token was refused", { place: this.place, reason: error instanceof Error ? error.message : String(error) })
      return WRONG
    }
  }

  private outcomeOf(claims: JWTPayload): Outcome {
    const { user, groups, claims: wanted, clockSkew } = this.settings
    const name = claimValues(claims, user)[0] ?? ""
    if (!isName(name) || !claimsAllow(claims, wanted)) return WRONG
    const latest = Math.min(Date.now() + REMEMBER_MS, this.keys.goodUntilMs)
    const untilMs = claims.exp === undefined ? latest : Math.min(latest, claims.exp * 1000 + clockSkew)
    return isIn(name, claimValues(claims, groups).slice(0, GROUPS_MAX), untilMs)
  }
}

function rulesOf({ issuer, audience, algorithms, expiry, jwks, clockSkew }: TokenOptions): JWTVerifyOptions {
  return {
    algorithms: algorithms ?? (jwks === undefined ? ["HS256"] : [...asymmetric]),
    clockTolerance: clockSkew / 1000,
    requiredClaims: expiry === "required" ? ["exp"] : [],
    ...(issuer.includes("*") ? {} : { issuer }),
    ...(audience.includes("*") ? {} : { audience }),
  }
}
