// HOT

const PERIOD_MS = 10_000

/** Counts what one connection does in ten seconds, and says when it is too much. */
export class FrameBudget {
  private since = 0
  private count = 0

  /** True while there are no more than `max` in a period. */
  spend(now: number, max: number): boolean {
    if (now - this.since >= PERIOD_MS) {
      this.since = now
      this.count = 0
    }
    return ++this.count <= max
  }
}
