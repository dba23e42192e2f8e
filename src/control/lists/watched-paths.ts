import { statSync } from "node:fs"

/** What was written less than this ago may still be in the making. */
const SETTLE_MS = 500

/** Notices that files have changed and are no longer being written. A state is "" while one of them is missing; one that was refused is not news again. */
export class WatchedPaths {
  private readonly paths: readonly string[]
  private taken: string
  private refused = ""
  private seen: string
  private missed = 0

  constructor(paths: readonly string[]) {
    this.paths = paths
    this.taken = stateOf(paths)
    this.seen = this.taken
  }

  /** Whether there is something new to read. `forced`: somebody asked, so what was refused is looked at again, and nothing is waited for. */
  look(forced: boolean): boolean {
    const now = stateOf(this.paths)
    const settled = now === this.seen || isOld(this.paths)
    this.seen = now
    this.missed = now === "" ? this.missed + 1 : 0
    if (now === "" || now === this.taken) return false
    return forced || (settled && now !== this.refused)
  }

  /** True once when they are gone, and not just being replaced. */
  get justGone(): boolean {
    return this.missed === 2
  }

  /** What is there is what was taken over. */
  get isTaken(): boolean {
    return this.seen === this.taken
  }

  /** What the last look found is in force now. */
  take(): void {
    this.taken = this.seen
  }

  /** What the last look found cannot be used. */
  refuse(): void {
    this.refused = this.seen
  }
}

function stateOf(paths: readonly string[]): string {
  const states: string[] = []
  for (const path of paths) {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return ""
    states.push(`${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`)
  }
  return states.join(" ")
}

/** A time in the future is a clock that differs, not a file in the making. */
function isOld(paths: readonly string[]): boolean {
  const written = Math.max(...paths.map(path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity))
  const age = Date.now() - written
  return age < -SETTLE_MS || age >= SETTLE_MS
}
