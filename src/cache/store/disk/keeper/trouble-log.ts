import { log } from "../../../../base/index.ts"

const LINE_MS = 1000

/** What is wrong with the disk, at most once a second: it is met by everything at the same time. */
export class TroubleLog {
  private readonly path: string
  private lastMs = Number.NEGATIVE_INFINITY
  private unsaid = 0

  constructor(path: string) {
    this.path = path
  }

  say(message: string, error: unknown): void {
    const nowMs = performance.now()
    if (nowMs - this.lastMs < LINE_MS) {
      this.unsaid++
      return
    }
    log.error("cache", message, { path: this.path, error, unsaid: this.unsaid === 0 ? undefined : this.unsaid })
    this.lastMs = nowMs
    this.unsaid = 0
  }
}
