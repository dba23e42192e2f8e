/** What a step returns to the engine. Small integers, so that the loop is a jump. */
export const NEXT = 0
/** The step called somebody who will call `resume(x, verdict)` exactly once. */
export const WAIT = 1
/** A response is ready: go on at the plan's response phase. */
export const ANSWER = 2
/** `x.fault` is set: retry, or a local reply. */
export const FAULT_VERDICT = 3
/** The exchange is over. */
export const DONE = 4

export type Verdict = 0 | 1 | 2 | 3 | 4
