import { parseBasic } from "../../basic-credentials.ts"
import { Remembered } from "../../remembered.ts"
import { isOutcome, type Outcome, type PasswordClaim, type PasswordSource, type Pending, type Told, WRONG, wrongUntil } from "../outcome.ts"

const REMEMBERED_MAX = 10_000

/**
 * Checks user and password against several sources: the first one that knows the user decides. Equal checks are made once, and what came of them is
 * remembered under a keyed hash for as long as the source says.
 */
export class PasswordChain {
  private readonly sources: readonly PasswordSource[]
  private readonly remembered = new Remembered<Outcome>(REMEMBERED_MAX)
  private readonly runs = new Map<string, Run>()

  constructor(sources: readonly PasswordSource[]) {
    this.sources = sources
  }

  get text(): string {
    return this.sources.map(source => source.text).join(", ")
  }

  /** What is known lately of the credentials in this field, without a check; null = nothing. */
  recall(value: string): Outcome | null {
    return this.remembered.recall(this.remembered.keyOf(value), Date.now()) ?? null
  }

  /** A file has changed. */
  forget(): void {
    this.remembered.clear()
    // Those under way began with what was there before: the next request asks again.
    for (const run of this.runs.values()) run.isOld = true
  }

  check(value: string, told: Told): Outcome | Pending {
    const credentials = parseBasic(value)
    // Directories take a name without a password for anybody (RFC 4513 section 5.1.2).
    if (credentials === null || credentials.user === "" || credentials.password === "") return WRONG
    const key = this.remembered.keyOf(value)
    const same = this.runs.get(key)
    if (same !== undefined) return same.join(told)
    const run = new Run({ ...credentials, key }, this.sources, outcome => this.ended(run, outcome))
    const outcome = run.go()
    if (outcome === null) {
      this.runs.set(key, run)
      return run.join(told)
    }
    this.keep(run, outcome)
    return outcome
  }

  /** Null: the run was given up. */
  private ended(run: Run, outcome: Outcome | null): void {
    this.runs.delete(run.claim.key)
    if (outcome !== null) this.keep(run, outcome)
  }

  private keep(run: Run, outcome: Outcome): void {
    if (outcome.untilMs > 0 && !run.isOld) this.remembered.keep(run.claim.key, outcome, outcome.untilMs)
  }
}

/** One check on its way through the sources. */
class Run {
  readonly claim: PasswordClaim
  isOld = false
  private readonly sources: readonly PasswordSource[]
  private readonly ended: (outcome: Outcome | null) => void
  private readonly waiting = new Set<Told>()
  private pending: Pending | null = null
  private at = 0
  private unknownUntilMs = 0

  constructor(claim: PasswordClaim, sources: readonly PasswordSource[], ended: (outcome: Outcome | null) => void) {
    this.claim = claim
    this.sources = sources
    this.ended = ended
  }

  /** Goes on until somebody has to be waited for (null) or has decided. */
  go(): Outcome | null {
    while (this.at < this.sources.length) {
      const answer = this.sources[this.at++]!.check(this.claim, outcome => this.told(outcome))
      if (!isOutcome(answer)) {
        this.pending = answer
        return null
      }
      if (this.decides(answer)) return answer
    }
    return wrongUntil(this.unknownUntilMs)
  }

  join(told: Told): Pending {
    this.waiting.add(told)
    return { cancel: () => this.leave(told) }
  }

  private told(outcome: Outcome): void {
    this.pending = null
    const end = this.decides(outcome) ? outcome : this.go()
    if (end === null) return
    this.ended(end)
    for (const told of this.waiting) told(end)
  }

  private decides({ state, untilMs }: Outcome): boolean {
    if (state !== "unknown") return true
    this.unknownUntilMs = Math.max(this.unknownUntilMs, untilMs)
    return false
  }

  private leave(told: Told): void {
    this.waiting.delete(told)
    if (this.waiting.size > 0 || this.pending === null) return
    this.pending.cancel()
    this.ended(null)
  }
}
