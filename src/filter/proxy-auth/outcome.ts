/**
 * What came of a client's credentials.
 *
 * - `in`: it is this user
 * - `free`: nobody is asked here, or nothing was said where nothing has to be
 * - `none`: no credentials
 * - `wrong`: they are nobody's
 * - `unknown`: this source knows no such user; another one may
 * - `stale`: the password is right, the nonce is old or was used before (RFC 7616 section 3.3)
 * - `busy`: too many wait to be checked
 * - `unavailable`: who decides cannot be asked
 * - `limited`: the client was wrong too often, so nobody looks at what it says
 */
export type LoginState = "in" | "free" | "none" | "wrong" | "unknown" | "stale" | "busy" | "unavailable" | "limited"

export interface Outcome {
  readonly state: LoginState
  readonly user: string
  readonly groups: readonly string[]
  /** Milliseconds since 1970 up to which it may be taken again without a check; 0 = not at all. */
  readonly untilMs: number
}

const noGroups: readonly string[] = []

function nobody(state: LoginState): Outcome {
  return { state, user: "", groups: noGroups, untilMs: 0 }
}

export const FREE = nobody("free")
export const NONE = nobody("none")
export const WRONG = nobody("wrong")
export const UNKNOWN = nobody("unknown")
export const STALE = nobody("stale")
export const BUSY = nobody("busy")
export const UNAVAILABLE = nobody("unavailable")
export const LIMITED = nobody("limited")

const USER_CHARS_MAX = 256

/** What may be the name of a user, whoever says it: it stands in logs and rules. */
export function isName(text: string): boolean {
  return text !== "" && text.length <= USER_CHARS_MAX && !/[\x00-\x1f\x7f]/.test(text)
}

export function isIn(user: string, groups: readonly string[], untilMs: number): Outcome {
  return { state: "in", user, groups, untilMs }
}

/** A refusal that is remembered, so that whoever decides is not asked again at once. */
export function wrongUntil(untilMs: number): Outcome {
  return { ...WRONG, untilMs }
}

/** The same of a source that does not know the user. */
export function unknownUntil(untilMs: number): Outcome {
  return { ...UNKNOWN, untilMs }
}

/** A check that is under way. */
export interface Pending {
  /** Nobody waits for it any more. */
  cancel(): void
}

/** Gets an outcome that was not known at once. */
export type Told = (outcome: Outcome) => void

export function isOutcome(answer: Outcome | Pending): answer is Outcome {
  return "state" in answer
}

/** Waits for a promise that never rejects. */
export function pendingOf(promise: Promise<Outcome>, told: Told): Pending {
  let wanted = true
  void promise.then(outcome => {
    if (wanted) told(outcome)
  })
  return { cancel: () => void (wanted = false) }
}

/** User and password as a client gave them; neither is empty. */
export interface PasswordClaim {
  readonly user: string
  readonly password: string
  /** Name of these credentials that tells nothing about them. */
  readonly key: string
}

/** Somebody who knows users and passwords: a file, a directory, a service. `told` is called at most once, and never before `check` has returned. */
export interface PasswordSource {
  /** One line for explain. */
  readonly text: string
  check(claim: PasswordClaim, told: Told): Outcome | Pending
}
