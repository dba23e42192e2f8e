import { FakeClock } from "../base/index.ts"
import type { Timers } from "./timers.ts"

interface Pending {
  readonly at: number
  readonly run: () => void
}

/** Timers on a clock that a test moves. */
export class FakeTimers implements Timers {
  readonly clock = new FakeClock()
  private pending: Pending[] = []

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.clock.now() + ms, run }
    this.pending.push(entry)
    return () => void this.remove(entry)
  }

  get size(): number {
    return this.pending.length
  }

  /** Moves the clock and runs what falls due on the way, each at its time, promises in between. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    await settle()
    for (;;) {
      const next = this.pending.filter(entry => entry.at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.clock.advance(next.at - this.clock.now())
      this.remove(next)
      next.run()
      await settle()
    }
    this.clock.advance(end - this.clock.now())
  }

  private remove(entry: Pending): void {
    this.pending = this.pending.filter(other => other !== entry)
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await null
}
