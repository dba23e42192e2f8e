// HOT
import type { Clock } from "../clock.ts"

/** How often the two clocks are compared. */
const LOOK_MS = 1000
/** The wall clock has whole milliseconds and is read a little later: what it may be off without having been set. */
const BEHIND_MS = 2
const AHEAD_MS = 3

/**
 * Milliseconds since 1970 with fractions, for times that threads tell each other: the wall clock is the only one that they share, but it has no fractions and
 * costs a call. So the thread's own monotonic clock counts, and is put right by the wall clock once a second where they have come apart.
 * Two threads differ by a few milliseconds at most. When the machine's clock is set this one follows, so what is stored may lie in the future.
 */
export class SharedTime {
  private readonly clock: Clock
  private offset: number
  private looksAt: number

  constructor(clock: Clock) {
    this.clock = clock
    this.offset = performance.timeOrigin
    this.looksAt = -1
  }

  now(): number {
    const own = this.clock.now()
    return own < this.looksAt ? own + this.offset : this.look()
  }

  private look(): number {
    // The clock of a worker stands still during an event, the wall clock does not.
    this.clock.tick()
    const own = this.clock.now()
    this.looksAt = own + LOOK_MS
    const wall = this.clock.wall()
    const off = wall - (own + this.offset)
    if (off < -BEHIND_MS || off > AHEAD_MS) this.offset = wall - own
    return own + this.offset
  }
}
