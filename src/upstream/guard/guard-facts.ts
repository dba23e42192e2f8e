import { baselineMs } from "../adaptive/adaptive-limit.ts"
import { breakerState } from "../breaker/breaker.ts"
import { reasonWords } from "../ejection.ts"
import type { PeerStates } from "../peer-states.ts"
import { CLASSES, priorityWords } from "../queue/priority.ts"
import { RetryBudget } from "../retry-budget.ts"
import { TALLY, WORD } from "../slot-words.ts"

export type BreakerWord = "closed" | "open" | "half-open"
const breakerWords: readonly BreakerWord[] = ["closed", "open", "half-open"]

/** What the shared states say of a slot's breaker, whoever it belongs to. */
export interface BreakerFacts {
  readonly state: BreakerWord
  /** Milliseconds until trials begin; 0 = they may, or it is closed. */
  readonly openForMs: number
  readonly opened: number
}

export function breakerFacts(states: PeerStates, slot: number): BreakerFacts {
  const base = states.wordOf(slot)
  const until = Atomics.load(states.words, base + WORD.openUntil)
  return {
    state: breakerWords[breakerState(states, base)]!,
    openForMs: Math.max(0, until - states.now()) * 100,
    opened: Atomics.load(states.words, base + WORD.opened),
  }
}

/** Why a peer was ejected the last time, in words; "" = it never was. */
export function ejectionWords(states: PeerStates, slot: number): string {
  return reasonWords[Atomics.load(states.words, states.wordOf(slot) + WORD.reason)] ?? ""
}

/** What a cluster has in flight and in wait, over all workers. */
export interface GuardFacts {
  readonly inFlight: number
  readonly pending: number
  readonly retries: number
  readonly unanswered: number
  readonly queued: Readonly<Record<string, number>>
  readonly panic: boolean
  readonly breaker: BreakerFacts
  /** 0 = it has not been set yet. */
  readonly adaptiveLimit: number
  /** Latency of the cluster at rest; 0 = not known. */
  readonly baselineMs: number
  /** Of the last 10 s: requests, as far as workers have told of them, and retries. */
  readonly budget: { readonly requests: number; readonly retries: number }
}

export function guardFacts(states: PeerStates, slot: number): GuardFacts {
  const base = states.wordOf(slot)
  const queued = Array.from({ length: CLASSES }, (_, k) => [priorityWords[k]!, states.tally(slot, TALLY.queued + k)] as const)
  return {
    inFlight: states.tally(slot, TALLY.inFlight),
    pending: states.tally(slot, TALLY.pending),
    retries: states.tally(slot, TALLY.retries),
    unanswered: states.tally(slot, TALLY.unanswered),
    queued: Object.fromEntries(queued),
    panic: Atomics.load(states.words, base + WORD.panic) === 1,
    breaker: breakerFacts(states, slot),
    adaptiveLimit: Math.floor(Atomics.load(states.words, base + WORD.limit) / 64),
    baselineMs: baselineMs(states, base),
    budget: new RetryBudget(states, slot, 0).spent(),
  }
}
