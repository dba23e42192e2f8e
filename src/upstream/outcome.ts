/** What came of an attempt, in the order of what it says against the peer. */
export const OUTCOME = {
  ok: 0,
  /** A status of 5xx that says that the application failed. */
  status: 1,
  /** 502, 503 or 504: the peer could not serve. */
  gateway: 2,
  /** No answer at all: refused, reset, timed out, broken. */
  fault: 3,
} as const

export type Outcome = 0 | 1 | 2 | 3

/** Which outcomes count as failures: every 5xx, or only what a gateway says and what we meet ourselves. */
export type Counts = "5xx" | "gateway"

export function outcomeOf(status: number): Outcome {
  if (status < 500) return OUTCOME.ok
  return status >= 502 && status <= 504 ? OUTCOME.gateway : OUTCOME.status
}

/** The least outcome that is a failure. */
export function failureFrom(counts: Counts): Outcome {
  return counts === "5xx" ? OUTCOME.status : OUTCOME.gateway
}
