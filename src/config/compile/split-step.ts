// HOT
import { FAULT, hashString } from "../../base/index.ts"
import { compileValue, type ValueReader } from "../../filter/index.ts"
import { type Exchange, grpcStatusOf, NEXT, type Plan, type Step, type Verdict } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import { type ClusterSteps, keepFromSharedCaches, takeCookie } from "../../upstream/index.ts"
import type { SplitConfig } from "../schema/split.ts"
import type { SplitShares } from "./split-shares.ts"
import { SHARE_ONE, type SplitZone } from "./split-zone.ts"

/** Left in the choice's slot: the request said where it wants to go. A number from 0 is a new place, which the client is to keep. */
const FORCED = -2
const KNOWN = -1
/** Of a new client's place these bits are random: what the turn says of others stays here, and shares are exact to a thousandth all the same. */
const RANDOM_BITS = 2 ** 20 - 1
const HEX = 8
/** Cookies of our name in one request that are looked at. */
const VALUES_MAX = 4

/** Why an exchange has its arm, for explain. */
export interface ChoiceNote {
  readonly arm: number
  readonly because: string
}

export interface SplitStepParts {
  readonly config: SplitConfig
  readonly zone: SplitZone
  readonly shares: SplitShares
  readonly time: Time
  /** By arm: whether a request goes there whatever the shares say; null = only by shares. */
  readonly matches: readonly (((x: Exchange) => boolean) | null)[]
  /** Two state slots that nobody else of the route has: this one and the next. */
  readonly slot: number
  /** Told why, for explain. null = nobody asks. */
  readonly notes: WeakMap<Exchange, ChoiceNote> | null
}

/** Chooses the arm of each request of one route, in one worker, and counts what comes of it. */
export class SplitStep {
  private readonly parts: SplitStepParts
  /** The arms' plans; made with this step in them, so they come later. */
  private plans: readonly Plan[] = []
  /** The same with the limits of the listener that a request came from. */
  private readonly plansFrom = new Map<Plan, Plan[]>()
  private readonly header: readonly ValueReader[] | null
  private readonly cookie: readonly ValueReader[] | null
  private readonly key: readonly ValueReader[] | null
  /** Name of the cookie with the place, "" = there is none. */
  private readonly placeCookie: string
  private readonly after: string
  private readonly seed: number
  private readonly isForced: boolean
  private readonly slot: number

  constructor(parts: SplitStepParts) {
    const { force, stick, salt } = parts.config
    this.parts = parts
    this.slot = parts.slot
    this.header = force === null || force.header === null ? null : compileValue(`\${requestField:${force.header}}`)
    this.cookie = force === null || force.cookie === null ? null : compileValue(`\${cookie:${force.cookie}}`)
    this.key = stick !== null && stick.kind === "key" ? compileValue(stick.value) : null
    this.placeCookie = stick !== null && stick.kind === "cookie" ? stick.name : ""
    const ttl = stick !== null && stick.kind === "cookie" ? stick.ttl : null
    this.after = `; Path=/${ttl === null ? "" : `; Max-Age=${Math.ceil(ttl / 1000)}`}; HttpOnly; SameSite=Lax`
    this.seed = hashString(salt)
    let matches = 0
    for (let i = 0; i < parts.matches.length; i++) if (parts.matches[i] !== null) matches++
    this.isForced = force !== null || matches > 0
  }

  /** The plans of the arms by index, all alike up to and with this step. */
  complete(plans: readonly Plan[]): void {
    this.plans = plans
  }

  readonly choose: Step = (x: Exchange): Verdict => {
    const { shares, notes } = this.parts
    // It is between the client and us, and a cache would keep nothing for a request with it.
    const values = this.placeCookie === "" ? null : takeCookie(x.request, this.placeCookie, false)
    let arm = this.isForced ? this.forcedArm(x) : -1
    if (arm >= 0) x.slots[this.slot] = FORCED
    else arm = shares.armAt(this.placeOf(x, values))
    if (notes !== null) notes.set(x, { arm, because: this.because(x, values) })
    x.plan = this.plansOf(x.plan!)[arm]!
    return NEXT
  }

  private plansOf(from: Plan): Plan[] {
    const known = this.plansFrom.get(from)
    if (known !== undefined) return known
    const out: Plan[] = []
    for (let i = 0; i < this.plans.length; i++) out.push(withLimitsOf(this.plans[i]!, from))
    this.plansFrom.set(from, out)
    return out
  }

  /** Field before cookie before match; -1 = the request says nothing of it. */
  private forcedArm(x: Exchange): number {
    let arm = this.header === null ? -1 : this.armNamed(readAll(x, this.header))
    if (arm < 0 && this.cookie !== null) arm = this.armNamed(readAll(x, this.cookie))
    const { matches } = this.parts
    for (let i = 0; i < matches.length && arm < 0; i++) if (matches[i] !== null && matches[i]!(x)) arm = i
    return arm
  }

  private armNamed(value: string): number {
    if (value === "") return -1
    const { arms, canaryArm } = this.parts.config
    if (value === "always") return canaryArm
    if (value === "never") return this.parts.shares.base
    for (let i = 0; i < arms.length; i++) if (arms[i]!.name === value) return i
    return -1
  }

  private placeOf(x: Exchange, values: readonly string[] | null): number {
    x.slots[this.slot] = KNOWN
    const { zone } = this.parts
    if (this.key !== null) return placeOfKey(readAll(x, this.key) || x.clientAddress, this.seed)
    if (this.placeCookie === "") return zone.nextPlace()
    for (let i = 0; values !== null && i < values.length && i < VALUES_MAX; i++) {
      const place = readPlace(values[i]!)
      if (place >= 0) return place
    }
    const fresh = (zone.nextPlace() & ~RANDOM_BITS) | (Math.random() * (RANDOM_BITS + 1))
    x.slots[this.slot] = fresh
    return fresh
  }

  private because(x: Exchange, values: readonly string[] | null): string {
    const left = x.slots[this.slot]
    if (left === FORCED) return "the request says so: a field, a cookie or a match of the arm"
    if (this.key !== null) return "by the hash of the client's key"
    if (this.placeCookie === "") return "by weight: the next request may go elsewhere"
    return left === KNOWN
      ? `by the place in the cookie ${this.placeCookie}`
      : `${values === null ? "a new client" : "the cookie is none of ours"}: by weight, and the answer sets the cookie ${this.placeCookie}`
  }

  /** Behind the cache: a new client learns its place. null where no cookie is set. */
  readonly tell: Step = (x: Exchange): Verdict => {
    const place = x.slots[this.slot]
    if (typeof place !== "number" || place < 0 || x.fault !== null) return NEXT
    const value = place.toString(16).padStart(HEX, "0")
    x.response.append("Set-Cookie", `${this.placeCookie}=${value}${this.after}${x.scheme === "https" ? "; Secure" : ""}`)
    keepFromSharedCaches(x)
    return NEXT
  }

  get setsCookie(): boolean {
    return this.placeCookie !== ""
  }

  /** The steps of an arm, which count what comes of its requests. Hits of a cache are nobody's: they do not come here. */
  counted(steps: ClusterSteps, arm: number): ClusterSteps {
    const { zone, time } = this.parts
    const choice = this.slot
    const at = choice + 1
    return {
      forward: steps.forward,
      judge: steps.judge,
      retry: steps.retry,
      // allow(closure): made once for each arm
      peer(x: Exchange): Verdict {
        if (x.slots[at] === undefined) x.slots[at] = time.clock.now()
        return steps.peer(x)
      },
      // allow(closure): made once for each arm
      finish(x: Exchange): Verdict {
        const since = x.slots[at]
        if (typeof since === "number") {
          if (x.slots[choice] === FORCED) zone.countForced(arm)
          else if (!isUntold(x)) zone.count(arm, isAnswered(x) ? x.headAt - x.sentAt : time.clock.now() - since, hasFailed(x))
        }
        return steps.finish(x)
      },
    }
  }
}

/** From sending to the head is how long the arm took: who has few requests has to connect more often, and is not slower for that. */
function isAnswered({ headAt, sentAt }: Exchange): boolean {
  return sentAt > 0 && headAt >= sentAt
}

/** What the client sent ended it, or a filter did: the arm is not to blame. One that left without an answer tells how long it has waited. */
function isUntold({ fault }: Exchange): boolean {
  return fault !== null && fault !== FAULT.aborted && (fault.source === "client" || fault.source === "plugin")
}

/** The arm's failure: a status of 5xx, its like in gRPC, or no answer because of its side or of a limit that is reached there. */
function hasFailed(x: Exchange): boolean {
  const { fault } = x
  if (fault !== null) return fault.source === "upstream" || fault.source === "proxy"
  return x.status >= 500 || isServersFailure(grpcStatusOf(x))
}

/** UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: the other ones are the caller's, or answers (as in OpenTelemetry's conventions for gRPC). */
function isServersFailure(status: number): boolean {
  return status === 2 || status === 4 || (status >= 12 && status <= 15)
}

function withLimitsOf(plan: Plan, { bodyBytesMax, tunnelIdleMs }: Plan): Plan {
  return plan.bodyBytesMax === bodyBytesMax && plan.tunnelIdleMs === tunnelIdleMs ? plan : { ...plan, bodyBytesMax, tunnelIdleMs } // allow(spread): once for each listener
}

function readAll(x: Exchange, readers: readonly ValueReader[]): string {
  let value = ""
  for (let i = 0; i < readers.length; i++) value += readers[i]!(x)
  return value
}

function placeOfKey(key: string, seed: number): number {
  return hashString(key, seed) >>> 2
}

/** The place that a cookie holds, -1 = it is none that we have set: eight hexadecimal digits below SHARE_ONE. */
function readPlace(value: string): number {
  if (value.length !== HEX) return -1
  let place = 0
  for (let i = 0; i < HEX; i++) {
    const code = value.charCodeAt(i)
    const digit = code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 102 ? code - 87 : -1
    if (digit < 0) return -1
    place = place * 16 + digit
  }
  return place < SHARE_ONE ? place : -1
}
