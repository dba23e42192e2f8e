import { readFileSync, statSync } from "node:fs"
import { type Clock, log } from "../../base/index.ts"

const OCTETS_MAX = 16 * 1024 * 1024

/** A small file of the system that is read again when it has changed. It is looked at when asked for, at most once a second: no watcher, nothing to close. */
export class WatchedFile {
  private readonly path: string
  private readonly clock: Clock
  private lookAt: number
  private seen: string

  constructor(path: string, clock: Clock) {
    this.path = path
    this.clock = clock
    this.lookAt = -Infinity
    this.seen = "never"
  }

  /** The text when it is new since the last call ("" when the file is gone), else null. */
  changed(): string | null {
    const now = this.clock.now()
    if (now < this.lookAt) return null
    this.lookAt = now + 1000
    const stat = statSync(this.path, { throwIfNoEntry: false })
    const mark = stat === undefined ? "none" : `${stat.mtimeMs} ${stat.size} ${stat.ino}`
    if (mark === this.seen) return null
    this.seen = mark
    return stat === undefined ? "" : this.read(stat.size)
  }

  private read(octets: number): string {
    if (octets > OCTETS_MAX) {
      log.warn("net", "file is too large and is not used", { path: this.path, octets, octetsMax: OCTETS_MAX })
      return ""
    }
    try {
      return readFileSync(this.path, "utf8")
    } catch (error) {
      log.warn("net", "file cannot be read", { path: this.path, error })
      return ""
    }
  }
}
