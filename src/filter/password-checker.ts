import { hash, randomBytes } from "node:crypto"
import { type Clock, log } from "../base/index.ts"
import type { Credentials } from "./basic-credentials.ts"
import type { Htpasswd } from "./htpasswd.ts"
import { type PasswordHash, verifyPassword } from "./password-hash.ts"

export const WRONG = 1
export const RIGHT = 2
/** Too many passwords wait; nothing is known of this one. */
export const BUSY = 3

export type Outcome = 1 | 2 | 3

/** Gets the outcome of a check that was not known at once. */
export interface CheckWaiter {
  checked(outcome: Outcome): void
}

export interface CheckerLimits {
  /** Passwords that are being checked at a time. */
  readonly runningMax: number
  /** Passwords that wait for their check. */
  readonly queueMax: number
  /** Good credentials that are remembered, and for how long. */
  readonly rememberedMax: number
  readonly rememberMs: number
}

export const checkerLimits: CheckerLimits = { runningMax: 2, queueMax: 64, rememberedMax: 10_000, rememberMs: 5 * 60_000 }

interface Check {
  readonly key: string
  readonly credentials: Credentials
  readonly waiters: CheckWaiter[]
  /** The users against which it runs. */
  users: Htpasswd
}

/**
 * Checks passwords against one htpasswd file without ever holding the thread: dear hashes run elsewhere, few at a time, in order; equal ones once.
 * Good credentials are remembered under a keyed hash, so that memory holds no password and each request after the first costs a microsecond.
 */
export class PasswordChecker {
  private users: Htpasswd
  private readonly clock: Clock
  private readonly limits: CheckerLimits
  private readonly secret = randomBytes(32).toString("base64")
  private readonly remembered = new Map<string, { readonly user: string; readonly until: number }>()
  private readonly checks = new Map<string, Check>()
  private readonly queue: Check[] = []
  private running = 0

  constructor(users: Htpasswd, clock: Clock, limits: CheckerLimits = checkerLimits) {
    this.users = users
    this.clock = clock
    this.limits = limits
  }

  /** The file has changed: what was good must be checked again. */
  replace(users: Htpasswd): void {
    this.users = users
    this.remembered.clear()
  }

  get userCount(): number {
    return this.users.users.size
  }

  hasUser(user: string): boolean {
    return this.users.users.has(user)
  }

  /** A name for the credentials in this field value that tells nothing about them. */
  keyOf(value: string): string {
    return hash("sha256", this.secret + value, "base64")
  }

  /** The user of credentials that were good lately, null when they must be checked. */
  recall(key: string): string | null {
    const entry = this.remembered.get(key)
    if (entry === undefined) return null
    if (this.clock.now() < entry.until) return entry.user
    this.remembered.delete(key)
    return null
  }

  /** The outcome, or 0: then `waiter` gets it later. */
  check(key: string, credentials: Credentials, waiter: CheckWaiter): Outcome | 0 {
    const same = this.checks.get(key)
    if (same !== undefined) {
      same.waiters.push(waiter)
      return 0
    }
    const wanted = this.wanted(credentials)
    if (wanted === null) return WRONG
    if (wanted.scheme === "sha1") return this.settle(key, credentials, verifyPassword(wanted, credentials.password) === true, this.users)
    if (this.queue.length >= this.limits.queueMax) return BUSY
    const check: Check = { key, credentials, waiters: [waiter], users: this.users }
    this.checks.set(key, check)
    this.queue.push(check)
    this.startNext()
    return 0
  }

  /** Nobody waits there any more; a check that has not begun and that nobody else waits for is dropped. */
  forget(key: string, waiter: CheckWaiter): void {
    const check = this.checks.get(key)
    const at = check === undefined ? -1 : check.waiters.indexOf(waiter)
    if (check === undefined || at < 0) return
    check.waiters.splice(at, 1)
    const queued = this.queue.indexOf(check)
    if (check.waiters.length > 0 || queued < 0) return
    this.queue.splice(queued, 1)
    this.checks.delete(key)
  }

  private wanted(credentials: Credentials): PasswordHash | null {
    return this.users.users.get(credentials.user) ?? this.users.decoy
  }

  private startNext(): void {
    while (this.running < this.limits.runningMax && this.queue.length > 0) this.start(this.queue.shift()!)
  }

  private start(check: Check): void {
    this.running++
    check.users = this.users
    const wanted = this.wanted(check.credentials)
    const verdict = wanted === null ? Promise.resolve(false) : Promise.resolve(verifyPassword(wanted, check.credentials.password))
    verdict.then(
      matches => this.ended(check, matches),
      error => {
        log.error("filter", "a password could not be checked", { error: error instanceof Error ? error.message : String(error) })
        this.ended(check, false)
      },
    )
  }

  private ended(check: Check, matches: boolean): void {
    this.running--
    if (check.users !== this.users && check.waiters.length > 0) {
      // the file changed meanwhile: its new content decides
      this.queue.unshift(check)
      this.startNext()
      return
    }
    this.checks.delete(check.key)
    const outcome = this.settle(check.key, check.credentials, matches, check.users)
    this.startNext()
    for (const waiter of check.waiters) waiter.checked(outcome)
  }

  /** A user who does not exist is wrong even when the decoy's password was hit. */
  private settle(key: string, { user }: Credentials, matches: boolean, users: Htpasswd): Outcome {
    if (!matches || !users.users.has(user)) return WRONG
    if (this.remembered.size >= this.limits.rememberedMax) this.remembered.delete(this.remembered.keys().next().value!)
    if (users === this.users) this.remembered.set(key, { user, until: this.clock.now() + this.limits.rememberMs })
    return RIGHT
  }
}
