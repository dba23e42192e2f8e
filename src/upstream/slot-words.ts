// HOT
/*
 * What the words of a slot in the shared states are for, from the second line on. A slot is a peer's or a cluster's (key `cluster|`).
 *
 *    0 to 15   a peer: in flight, health, ejection (peer-states.ts); a cluster: in flight, then its retry budget
 *   16 to 31   tallies, why a peer was ejected, where waiters are woken
 *   32 to 46   a breaker's window: five buckets of time, attempts, failures
 *   48 to 63   a breaker's state, the samples of an interval, the adaptive limit
 *   64 to 79   the budget of hedges, when the adaptive limit probes
 */

/** Kinds of tallies: what workers hold now. In the order of `TALLY_WORDS`. */
export const TALLY = {
  inFlight: 0,
  /** Requests without a connection: they dial or wait in a pool. */
  pending: 1,
  /** Requests that are sent again. */
  retries: 2,
  /** Requests whose answer has not begun, under an adaptive limit. */
  unanswered: 3,
  /** Requests that wait in the queue, by class of priority: four kinds. */
  queued: 4,
} as const
export const TALLY_KINDS = 8

/** Word of each kind within a slot. */
export const TALLY_WORDS: readonly number[] = [0, 16, 17, 18, 19, 20, 21, 22]

export const WORD = {
  /** Why the peer was ejected the last time: one of EJECTION_REASONS. */
  reason: 23,
  /** Rises when something becomes free; waiters of other workers sleep on it. */
  wake: 24,
  /** 1 while the cluster balances over all of its peers, available or not. */
  panic: 25,
  /** Tenths of a second at which the last interval of the outlier detection ended. */
  sweptAt: 26,
  /** Mean logarithm of a peer's latencies in the last interval that told it, and 1 more; 0 = none has. */
  usual: 28,
  /** The adaptive limit that was halved for a probe, in 64ths; 0 = it was not. */
  beforeProbe: 27,

  /** Five buckets of three words. */
  window: 32,

  /** Tenths of a second until which the breaker is open; 0 = closed; in the past = half open. */
  openUntil: 48,
  openFor: 49,
  /** Trials that were let through, and those that went well. */
  trials: 50,
  trialsOk: 51,
  /** When a trial that nothing was heard of is given to another request. */
  trialUntil: 52,
  opened: 53,

  /** Samples of the outlier detection's interval. */
  outcomes: 54,
  failed: 55,
  latencies: 56,
  latencySum: 57,

  /** The adaptive limit, in 64ths; 0 = not yet set. */
  limit: 58,
  samples: 59,
  sampleSum: 60,
  windowEnd: 61,
  baseline: 62,
  peak: 63,

  /** Five buckets of three words. */
  hedges: 64,
  /** When the adaptive limit is halved again. */
  probeAt: 79,
} as const
