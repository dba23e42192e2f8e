import { type Clock, type Fault, systemClock } from "../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import type { FilterDeps } from "../plugin/index.ts"
import { z } from "zod"
import { parseBasic } from "./basic-credentials.ts"
import { parseHtpasswd } from "./htpasswd.ts"
import { BUSY, type CheckWaiter, type Outcome, PasswordChecker, RIGHT, WRONG } from "./password-checker.ts"

/** No credentials came. With the outcomes of a check: what stands in the slot. */
const MISSING = 4

type State = Outcome | 4

/** Wrong credentials that one connection may send; with the last of them it is closed. */
export const attemptsMax = 5

/** What tells proxy authentication from that of a site (RFC 9110 sections 11.6 and 11.7). */
export interface LoginKind {
  /** Word for counters. */
  readonly name: string
  /** Known name of the request field with the credentials. */
  readonly field: number
  /** Response field of the challenge. */
  readonly challenge: string
  /** Nobody or the wrong one asks; the same for the last time on this connection; too many checks wait. */
  readonly required: Fault
  readonly repeated: Fault
  readonly busy: Fault
}

export const htpasswdOption = z.string().min(1).describe("File with `user:hash` lines: bcrypt, argon2id or {SHA}.")

export const realmOption = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, "expected printable ASCII without quotes and backslashes")
  .describe("Name that the client shows when it asks for the password (RFC 9110 section 11.5).")

export interface LoginOptions {
  readonly htpasswd: string
  readonly realm: string
  /** The field stays in the request. */
  readonly keepField: boolean
}

/**
 * Basic authentication against an htpasswd file, for proxies and for sites. `identify` says who it is, `access` refuses who is nobody;
 * where no identify phase ran before, `access` does both.
 */
export class BasicLogin {
  private readonly kind: LoginKind
  private readonly options: LoginOptions
  private readonly checker: PasswordChecker
  private readonly slot: number
  private readonly challenge: string
  private readonly wrong: { add(n: number): void }
  private readonly busy: { add(n: number): void }
  /** Wrong credentials by connection. */
  private readonly attempts = new WeakMap<object, number>()

  constructor(kind: LoginKind, options: LoginOptions, deps: FilterDeps, clock: Clock = systemClock) {
    this.kind = kind
    this.options = options
    this.slot = deps.slot()
    this.wrong = deps.counter(`${kind.name}_wrong`, "Requests with credentials that are not right.")
    this.busy = deps.counter(`${kind.name}_busy`, "Requests that were refused because too many passwords waited to be checked.")
    this.challenge = `${kind.challenge}: Basic realm="${options.realm}", charset="UTF-8"\r\n`
    const path = deps.path(options.htpasswd)
    const content = deps.watchFile(path, changed => this.checker.replace(parseHtpasswd(changed, path)))
    this.checker = new PasswordChecker(parseHtpasswd(content, path), clock)
  }

  identify(x: Exchange): Verdict {
    return this.ask(x, false)
  }

  access(x: Exchange): Verdict {
    return x.slots[this.slot] === undefined ? this.ask(x, true) : this.decide(x)
  }

  describe(): string {
    const { htpasswd, realm } = this.options
    return `${this.checker.userCount} users of ${htpasswd}, realm "${realm}"`
  }

  /** Finds out who asks. `decides`: this is the access phase, so the same call refuses. */
  private ask(x: Exchange, decides: boolean): Verdict {
    const { field } = this.kind
    const at = x.request.has(field) ? x.request.indexOf(field) : -1
    if (at < 0) return this.settle(x, MISSING, "", decides)
    const value = x.request.valueAt(at)
    // two of them are two answers to one question
    const single = x.request.indexOf(field, at + 1) < 0
    if (!this.options.keepField) x.request.remove(field)
    if (!single) return this.settle(x, WRONG, "", decides)
    const key = this.checker.keyOf(value)
    const known = this.checker.recall(key)
    if (known !== null) return this.settle(x, RIGHT, known, decides)
    const credentials = parseBasic(value)
    if (credentials === null) return this.settle(x, WRONG, "", decides)
    const wait = new LoginWait(this, x, credentials.user, decides, key)
    const outcome = this.checker.check(key, credentials, wait)
    if (outcome !== 0) return this.settle(x, outcome, credentials.user, decides)
    x.waiter = wait
    return WAIT
  }

  /** Called by the wait. */
  settle(x: Exchange, state: State, user: string, decides: boolean): Verdict {
    x.slots[this.slot] = state
    if (state === RIGHT) x.user = user
    else if (state === WRONG) this.countWrong(x)
    return decides ? this.decide(x) : NEXT
  }

  stopWaiting(wait: LoginWait, key: string): void {
    this.checker.forget(key, wait)
  }

  private countWrong(x: Exchange): void {
    this.wrong.add(1)
    if (x.down !== null) this.attempts.set(x.down.info, (this.attempts.get(x.down.info) ?? 0) + 1)
  }

  private decide(x: Exchange): Verdict {
    const state = x.slots[this.slot] as State
    if (state === RIGHT) return NEXT
    if (state === BUSY) {
      this.busy.add(1)
      x.fault = this.kind.busy
      x.replyFields = "Retry-After: 1\r\n"
      return FAULT_VERDICT
    }
    const spent = state === WRONG && x.down !== null && this.attempts.get(x.down.info)! >= attemptsMax
    x.fault = spent ? this.kind.repeated : this.kind.required
    x.replyFields = this.challenge
    return FAULT_VERDICT
  }
}

/** One exchange that waits for its password's check. */
class LoginWait implements Waiter, CheckWaiter {
  private readonly login: BasicLogin
  private readonly x: Exchange
  private readonly user: string
  private readonly decides: boolean
  private readonly key: string
  private readonly generation: number

  constructor(login: BasicLogin, x: Exchange, user: string, decides: boolean, key: string) {
    this.login = login
    this.x = x
    this.user = user
    this.decides = decides
    this.key = key
    this.generation = x.generation
  }

  checked(outcome: Outcome): void {
    const { x } = this
    if (x.generation !== this.generation) return
    resume(x, this.login.settle(x, outcome, this.user, this.decides))
  }

  cancel(): void {
    this.login.stopWaiting(this, this.key)
  }
}
