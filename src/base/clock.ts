// HOT
/** Where time comes from. Everything that measures or waits takes one, so that tests can hold the hands. */
export interface Clock {
  /** Milliseconds that only grow, with fractions. The zero point is the thread's own: never compare it between threads. */
  now(): number
  /** Milliseconds since 1970-01-01 UTC. May jump when the machine's clock is set; the one to log and to share between threads. */
  wall(): number
  /** An event begins: clocks that hold `now` still during one read it anew. */
  tick(): void
}

class SystemClock implements Clock {
  now(): number {
    return performance.now()
  }

  wall(): number {
    return Date.now()
  }

  tick(): void {}
}

/** The machine's clocks. */
export const systemClock: Clock = new SystemClock()

/** A clock that stands still until a test moves it. Starts at `now` 1,000 ms and on 2026-01-01 unless told otherwise. */
export class FakeClock implements Clock {
  private nowMs: number
  private wallMs: number

  constructor(nowMs = 1000, wallMs = 1_767_225_600_000) {
    this.nowMs = nowMs
    this.wallMs = wallMs
  }

  now(): number {
    return this.nowMs
  }

  wall(): number {
    return this.wallMs
  }

  tick(): void {}

  /** Moves both hands; time does not run backwards, so `ms` is 0 or more. */
  advance(ms: number): void {
    this.nowMs += ms > 0 ? ms : 0
    this.wallMs += ms > 0 ? ms : 0
  }

  /** Sets the wall clock alone, as an administrator or NTP does. */
  setWall(wallMs: number): void {
    this.wallMs = wallMs
  }
}
