import type { Clock } from "../../../base/index.ts"
import type { FilterDeps } from "../../../plugin/index.ts"
import { parseHtpasswd } from "../../htpasswd.ts"
import { BUSY as CHECKER_BUSY, type CheckWaiter, type Outcome as Checked, PasswordChecker, RIGHT } from "../../password-checker.ts"
import { BUSY, isIn, type Outcome, type PasswordClaim, type PasswordSource, type Pending, type Told, UNKNOWN, WRONG } from "../outcome.ts"

/** Good passwords of the file are taken again for so long; a changed file ends it at once. */
const REMEMBER_MS = 5 * 60_000

/** Users of an htpasswd file. */
export class HtpasswdSource implements PasswordSource {
  private readonly name: string
  private readonly checker: PasswordChecker
  /** Others are asked about users that the file does not have. */
  private readonly hasNext: boolean

  constructor(htpasswd: string, hasNext: boolean, clock: Clock, deps: FilterDeps, changed: () => void) {
    this.name = htpasswd
    this.hasNext = hasNext
    const path = deps.path(htpasswd)
    const content = deps.watchFile(path, text => {
      this.checker.replace(parseHtpasswd(text, path))
      changed()
    })
    this.checker = new PasswordChecker(parseHtpasswd(content, path), clock)
  }

  get text(): string {
    return `${this.checker.userCount} users of ${this.name}`
  }

  check({ user, password, key }: PasswordClaim, told: Told): Outcome | Pending {
    if (this.hasNext && !this.checker.hasUser(user)) return UNKNOWN
    const waiter: CheckWaiter = { checked: checked => told(outcomeOf(checked, user)) }
    const checked = this.checker.check(key, { user, password }, waiter)
    return checked === 0 ? { cancel: () => this.checker.forget(key, waiter) } : outcomeOf(checked, user)
  }
}

function outcomeOf(checked: Checked, user: string): Outcome {
  if (checked === RIGHT) return isIn(user, [], Date.now() + REMEMBER_MS)
  return checked === CHECKER_BUSY ? BUSY : WRONG
}
