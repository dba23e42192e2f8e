import type { FilterDeps } from "../../plugin/index.ts"
import type { LoginState } from "./outcome.ts"

type Counter = { add(n: number): void }

/** How requests fared, by outcome. */
export class LoginCounters {
  private readonly byState: Partial<Record<LoginState, Counter>>

  constructor(deps: Pick<FilterDeps, "counter">) {
    this.byState = {
      in: deps.counter("proxy_auth_in", "Requests of users that are known."),
      none: deps.counter("proxy_auth_asked", "Requests without credentials that were asked for them."),
      wrong: deps.counter("proxy_auth_wrong", "Requests with credentials that are not right."),
      stale: deps.counter("proxy_auth_stale", "Requests with a right answer to a nonce that is old or was used before."),
      busy: deps.counter("proxy_auth_busy", "Requests that were refused because too many passwords waited to be checked."),
      unavailable: deps.counter("proxy_auth_unavailable", "Requests that were refused because who decides could not be asked."),
      limited: deps.counter("proxy_auth_limited", "Requests whose credentials nobody looked at, since their client had been wrong too often."),
    }
  }

  count(state: LoginState): void {
    this.byState[state]?.add(1)
  }
}
