import { type Fault, FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, notesOf, resume, type Verdict, WAIT, type Waiter } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"
import { LastSecrets } from "../last-secrets.ts"
import { ClientStrikes } from "./client-strikes.ts"
import { followGroups, type Groups } from "./groups.ts"
import { LoginCounters } from "./login-counters.ts"
import type { LoginOptions } from "./login-options.ts"
import { LoginWays } from "./login-ways.ts"
import { NetworkModes } from "./network-modes.ts"
import { FREE, isOutcome, NONE, type Outcome, type Pending, type Told } from "./outcome.ts"

const NOTHING_SAID = ""

/**
 * Finds out who uses the proxy (RFC 9110 section 11.7). `identify` says who it is, `access` refuses who is nobody; where no identify phase ran before,
 * `access` does both. Whatever carried the request here, it is asked by its field Proxy-Authorization, its certificate and its address.
 */
export class Login {
  private readonly options: LoginOptions
  private readonly slot: number
  private readonly modes: NetworkModes
  private readonly ways: LoginWays
  private readonly strikes: ClientStrikes | null
  private readonly counters: LoginCounters
  private groups: Groups
  private readonly last = new LastSecrets<Outcome>()
  /** Wrong credentials by connection. */
  private readonly attempts = new WeakMap<object, number>()

  constructor(options: LoginOptions, deps: FilterDeps) {
    this.options = options
    this.slot = deps.slot()
    this.modes = new NetworkModes(options.networks)
    this.ways = new LoginWays(options, deps, () => this.last.clear())
    this.strikes = options.wrongMax === 0 ? null : new ClientStrikes(options.wrongMax, options.wrongPer, deps)
    this.counters = new LoginCounters(deps)
    this.groups = followGroups(options.groups, deps, changed => {
      this.groups = changed
    })
  }

  identify(x: Exchange): Verdict {
    return this.ask(x, false)
  }

  access(x: Exchange): Verdict {
    return x.slots[this.slot] === undefined ? this.ask(x, true) : this.decide(x)
  }

  describe(): string {
    return `${this.ways.text}, realm "${this.options.realm}"${Object.keys(this.options.networks).length === 0 ? "" : `, ${this.modes.text}`}`
  }

  /** Finds out who asks. `decides`: this is the access phase, so the same call refuses. */
  private ask(x: Exchange, decides: boolean): Verdict {
    const said = takeField(x)
    // What comes inside a tunnel was asked when that began.
    if (x.notes?.inside === true) return this.settle(x, FREE, decides)
    // Whose certificate counts is for us to say: one that is not believed here is nobody's.
    if (this.options.certificate !== undefined) x.user = ""
    const mode = this.modes.of(x.clientAddress)
    if (mode === "none") return this.settle(x, FREE, decides)
    const nowMs = Date.now()
    this.ways.follow(nowMs)
    if (said !== null && said !== NOTHING_SAID) {
      const last = this.last.recall(x, said)
      if (last !== undefined && nowMs < last.untilMs) return this.settle(x, last, decides)
    }
    const wait = new LoginWait(this, x, said ?? "", decides, mode === "optional")
    const answer = this.answer(x, said, wait.told)
    if (isOutcome(answer)) return this.settle(x, this.keep(x, said ?? "", answer, mode === "optional"), decides)
    wait.pending = answer
    x.waiter = wait
    return WAIT
  }

  /** Whoever says something is judged by that alone; a certificate and an address speak for those who say nothing. */
  private answer(x: Exchange, said: string | null, told: Told): Outcome | Pending {
    if (said === null) return this.ways.checkSilent(x, told)
    const known = this.ways.recall(said)
    if (known !== null) return known
    const isSpent = this.strikes?.isSpent(x)
    return isSpent ? this.ways.checkKnown(x, said) : this.ways.check(x, said, told)
  }

  /** Called by the wait: what comes of an answer, and what is remembered of it. */
  keep(x: Exchange, said: string, answer: Outcome, isOptional: boolean): Outcome {
    if (answer.state === "none") return isOptional ? FREE : NONE
    if (answer.untilMs > 0 && answer.state === "in" && said !== "") this.last.keep(x, said, answer)
    return answer
  }

  /** Called by the wait. */
  settle(x: Exchange, outcome: Outcome, decides: boolean): Verdict {
    x.slots[this.slot] = outcome
    this.counters.count(outcome.state)
    if (outcome.state === "in") this.letIn(x, outcome)
    else if (outcome.state === "wrong") this.countWrong(x)
    return decides ? this.decide(x) : NEXT
  }

  private letIn(x: Exchange, { user, groups }: Outcome): void {
    x.user = user
    const more = this.groups.of(user)
    if (more.length > 0) notesOf(x).groups = groups.length === 0 ? more : [...new Set([...groups, ...more])]
    else if (groups.length > 0) notesOf(x).groups = groups
  }

  private countWrong(x: Exchange): void {
    this.strikes?.count(x)
    if (x.down !== null) this.attempts.set(x.down.info, (this.attempts.get(x.down.info) ?? 0) + 1)
  }

  private decide(x: Exchange): Verdict {
    const { state } = x.slots[this.slot] as Outcome
    if (state === "in" || state === "free") return NEXT
    if (state === "busy") return refuse(x, FAULT.authBusy, "Retry-After: 1\r\n")
    if (state === "unavailable") return refuse(x, FAULT.authUnavailable, "Retry-After: 5\r\n")
    if (state === "limited") return refuse(x, FAULT.authLimited, `Retry-After: ${Math.ceil(this.options.wrongPer / 1000)}\r\n`)
    const isSpent = state === "wrong" && x.down !== null && (this.attempts.get(x.down.info) ?? 0) >= this.options.attemptsMax
    return refuse(x, isSpent ? FAULT.authRepeated : FAULT.authRequired, this.ways.challenges(state))
  }
}

function refuse(x: Exchange, fault: Fault, lines: string): Verdict {
  x.fault = fault
  x.replyFields = lines
  return FAULT_VERDICT
}

/** Takes the credentials out of the request, so that nobody behind us sees them. Null = there are none; "" = what is there says nothing, or two things. */
function takeField({ request }: Exchange): string | null {
  const field = NAME.proxyAuthorization
  if (!request.has(field)) return null
  const at = request.indexOf(field)
  const value = request.valueAt(at)
  const isSingle = request.indexOf(field, at + 1) < 0
  request.remove(field)
  return isSingle ? value : NOTHING_SAID
}

/** One exchange that waits for what somebody finds out. */
class LoginWait implements Waiter {
  pending: Pending | null = null
  private readonly login: Login
  private readonly x: Exchange
  private readonly said: string
  private readonly decides: boolean
  private readonly isOptional: boolean
  private readonly generation: number

  constructor(login: Login, x: Exchange, said: string, decides: boolean, isOptional: boolean) {
    this.login = login
    this.x = x
    this.said = said
    this.decides = decides
    this.isOptional = isOptional
    this.generation = x.generation
  }

  readonly told: Told = outcome => {
    const { x, login } = this
    if (x.generation !== this.generation) return
    resume(x, login.settle(x, login.keep(x, this.said, outcome, this.isOptional), this.decides))
  }

  cancel(): void {
    this.pending?.cancel()
  }
}
