import { readdirSync, renameSync, statSync, unlinkSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { Log } from "../../base/index.ts"
import type { Config } from "../../config/index.ts"

const LOOK_EVERY_MS = 10_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

interface Kept {
  readonly path: string
  readonly every: "hour" | "day"
  readonly keepDays: number
}

/** Begins a new access log at each day or hour and deletes old ones. Workers see by themselves that the file has another name now. */
export class LogKeeper {
  private readonly log: Log
  private readonly nowMs: () => number
  private kept: Kept | null = null
  /** Day in which old files were looked for: none becomes old before the next, unless a file gets its name. */
  private lookedIn = -1
  private timer: ReturnType<typeof setInterval> | null = null

  constructor(log: Log, nowMs: () => number = Date.now) {
    this.log = log
    this.nowMs = nowMs
  }

  follow({ observe: { accessLog } }: Config): void {
    const { to, rotate } = accessLog
    this.kept = rotate === null || to.kind !== "file" ? null : { path: to.path, ...rotate }
    if (this.kept === null) return this.stop()
    this.lookedIn = -1
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY_MS)
    this.timer.unref()
    this.look()
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  /** Never throws: a file that cannot be renamed or deleted is told of, and tried again. */
  look(): void {
    if (this.kept === null) return
    try {
      this.rotate(this.kept)
      const day = Math.floor(this.nowMs() / DAY_MS)
      if (day === this.lookedIn) return
      this.deleteOld(this.kept)
      this.lookedIn = day
    } catch (error) {
      this.log.warn("the access log cannot be rotated", { file: this.kept.path, error: (error as Error).message })
    }
  }

  private rotate({ path, every }: Kept): void {
    const file = statSync(path, { throwIfNoEntry: false })
    if (file === undefined || !file.isFile() || file.size === 0) return
    const unit = every === "hour" ? HOUR_MS : DAY_MS
    // Where the system does not know when a file was made, its last line says which period it is of.
    const madeMs = file.birthtimeMs > 0 ? file.birthtimeMs : file.mtimeMs
    const period = Math.floor(madeMs / unit)
    if (Math.floor(this.nowMs() / unit) <= period) return
    const stamp = new Date(period * unit).toISOString().slice(0, every === "hour" ? 13 : 10)
    const target = freeName(`${path}.${stamp}`)
    renameSync(path, target)
    this.lookedIn = -1
    this.log.info("a new access log begins", { former: target })
  }

  private deleteOld({ path, keepDays }: Kept): void {
    const folder = dirname(path)
    const own = `${basename(path)}.`
    for (const name of readdirSync(folder)) {
      const stamp = name.startsWith(own) ? /^(\d{4}-\d\d-\d\d)(?:T\d\d)?(?:-\d+)?(?:\.gz)?$/.exec(name.slice(own.length)) : null
      if (stamp === null || Date.parse(`${stamp[1]}T00:00Z`) + (keepDays + 1) * DAY_MS > this.nowMs()) continue
      unlinkSync(join(folder, name))
      this.log.info("an old access log was deleted", { file: join(folder, name) })
    }
  }
}

function freeName(name: string): string {
  for (let i = 0; ; i++) {
    const free = i === 0 ? name : `${name}-${i}`
    if (statSync(free, { throwIfNoEntry: false }) === undefined) return free
  }
}
