import { type Clock, FAULT, systemClock } from "../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { NAME } from "../http/index.ts"
import type { FilterDeps } from "../plugin/index.ts"
import { z } from "zod"
import { parseBasic } from "./basic-credentials.ts"
import { parseHtpasswd } from "./htpasswd.ts"
import { BUSY, type CheckWaiter, type Outcome, PasswordChecker, RIGHT, WRONG } from "./password-checker.ts"

/** No credentials came. */
const MISSING = 4

type State = Outcome | 4

/** Wrong credentials that one connection may send; with the last of them it is closed. */
const attemptsMax = 5

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

/** Basic authentication of a site against an htpasswd file (RFC 9110 section 11.6, RFC 7617). */
export class BasicLogin {
  private readonly options: LoginOptions
  private readonly checker: PasswordChecker
  private readonly challenge: string
  private readonly wrong: { add(n: number): void }
  private readonly busy: { add(n: number): void }
  /** Wrong credentials by connection. */
  private readonly attempts = new WeakMap<object, number>()

  constructor(options: LoginOptions, deps: FilterDeps, clock: Clock = systemClock) {
    this.options = options
    this.wrong = deps.counter("basic_auth_wrong", "Requests with credentials that are not right.")
    this.busy = deps.counter("basic_auth_busy", "Requests that were refused because too many passwords waited to be checked.")
    this.challenge = `WWW-Authenticate: Basic realm="${options.realm}", charset="UTF-8"\r\n`
    const path = deps.path(options.htpasswd)
    const content = deps.watchFile(path, changed => this.checker.replace(parseHtpasswd(changed, path)))
    this.checker = new PasswordChecker(parseHtpasswd(content, path), clock)
  }

  access(x: Exchange): Verdict {
    const field = NAME.authorization
    const at = x.request.has(field) ? x.request.indexOf(field) : -1
    if (at < 0) return this.settle(x, MISSING, "")
    const value = x.request.valueAt(at)
    // two of them are two answers to one question
    const single = x.request.indexOf(field, at + 1) < 0
    if (!this.options.keepField) x.request.remove(field)
    if (!single) return this.settle(x, WRONG, "")
    const key = this.checker.keyOf(value)
    const known = this.checker.recall(key)
    if (known !== null) return this.settle(x, RIGHT, known)
    const credentials = parseBasic(value)
    if (credentials === null) return this.settle(x, WRONG, "")
    const wait = new LoginWait(this, x, credentials.user, key)
    const outcome = this.checker.check(key, credentials, wait)
    if (outcome !== 0) return this.settle(x, outcome, credentials.user)
    x.waiter = wait
    return WAIT
  }

  describe(): string {
    const { htpasswd, realm } = this.options
    return `${this.checker.userCount} users of ${htpasswd}, realm "${realm}"`
  }

  /** Called by the wait. */
  settle(x: Exchange, state: State, user: string): Verdict {
    if (state === RIGHT) {
      x.user = user
      return NEXT
    }
    if (state === BUSY) {
      this.busy.add(1)
      x.fault = FAULT.authBusy
      x.replyFields = "Retry-After: 1\r\n"
      return FAULT_VERDICT
    }
    if (state === WRONG) this.countWrong(x)
    const spent = state === WRONG && x.down !== null && this.attempts.get(x.down.info)! >= attemptsMax
    x.fault = spent ? FAULT.loginRepeated : FAULT.loginRequired
    x.replyFields = this.challenge
    return FAULT_VERDICT
  }

  stopWaiting(wait: LoginWait, key: string): void {
    this.checker.forget(key, wait)
  }

  private countWrong(x: Exchange): void {
    this.wrong.add(1)
    if (x.down !== null) this.attempts.set(x.down.info, (this.attempts.get(x.down.info) ?? 0) + 1)
  }
}

/** One exchange that waits for its password's check. */
class LoginWait implements Waiter, CheckWaiter {
  private readonly login: BasicLogin
  private readonly x: Exchange
  private readonly user: string
  private readonly key: string
  private readonly generation: number

  constructor(login: BasicLogin, x: Exchange, user: string, key: string) {
    this.login = login
    this.x = x
    this.user = user
    this.key = key
    this.generation = x.generation
  }

  checked(outcome: Outcome): void {
    const { x } = this
    if (x.generation !== this.generation) return
    resume(x, this.login.settle(x, outcome, this.user))
  }

  cancel(): void {
    this.login.stopWaiting(this, this.key)
  }
}
