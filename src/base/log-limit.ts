const WINDOW_MS = 60_000
const KEYS_MAX = 1024

interface Window {
  startMs: number
  count: number
}

/** Lets the same message through so many times a minute, so that a fault met by every request does not fill the disk. */
export class LogLimit {
  /** How often a message passes in a minute. */
  readonly perMinuteMax: number
  private readonly windows = new Map<string, Window>()

  constructor(perMinuteMax: number) {
    this.perMinuteMax = perMinuteMax
  }

  /** -1 = drop the message; else pass it and say how many like it were dropped in the minute before. */
  admit(key: string, nowMs: number): number {
    const window = this.windows.get(key)
    if (window === undefined) {
      if (this.windows.size >= KEYS_MAX) this.forget(nowMs)
      this.windows.set(key, { startMs: nowMs, count: 1 })
      return 0
    }
    if (nowMs - window.startMs < WINDOW_MS) {
      window.count++
      return window.count > this.perMinuteMax ? -1 : 0
    }
    const dropped = Math.max(0, window.count - this.perMinuteMax)
    window.startMs = nowMs
    window.count = 1
    return dropped
  }

  /** Whether the message that just passed was the last one for this minute. */
  spent(key: string): boolean {
    return this.windows.get(key)?.count === this.perMinuteMax
  }

  /** Makes room: windows that are over go, and when none is, all. */
  private forget(nowMs: number): void {
    for (const [key, window] of this.windows) if (nowMs - window.startMs >= WINDOW_MS) this.windows.delete(key)
    if (this.windows.size >= KEYS_MAX) this.windows.clear()
  }
}
