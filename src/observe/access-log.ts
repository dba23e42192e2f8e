import { type Clock, log, systemClock } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import type { LogFormatter, LogSink } from "../plugin/index.ts"
import { createFileSink } from "./sink/file/file.ts"
import { createStdoutSink } from "./sink/stdout/stdout.ts"

/** Where lines go, as the config has it; `path` is absolute. */
export type AccessLogTarget = { readonly kind: "stdout" } | { readonly kind: "none" } | { readonly kind: "file"; readonly path: string }

export interface AccessLogConfig {
  /** Compiled by the format's definition. */
  readonly format: LogFormatter
  readonly to: AccessLogTarget
  /** Takes off an exchange what its line must not say. Default: all is said. */
  readonly anonymize?: ((x: Exchange) => void) | null
}

export interface AccessLog {
  /** False for `none`: the plan then has no log step. */
  readonly enabled: boolean
  /** Writes the line of an exchange that ended. Never throws; a format that fails costs its line. */
  log(x: Exchange): void
  /** Opens the target again. */
  reopen(): void
  /** Writes what waits, for at most two seconds. */
  close(): Promise<void>
  /** Lines lost so far: the target did not keep up, or the format failed. */
  dropped(): number
}

const silent: AccessLog = { enabled: false, log: () => {}, reopen: () => {}, close: () => Promise.resolve(), dropped: () => 0 }

/** The access log of one worker. */
export function createAccessLog(config: AccessLogConfig, clock: Clock = systemClock): AccessLog {
  const { to } = config
  if (to.kind === "none") return silent
  const sink = to.kind === "stdout" ? createStdoutSink(clock) : createFileSink(to.path, clock)
  return new SinkLog(anonymous(config), sink)
}

function anonymous({ format, anonymize }: AccessLogConfig): LogFormatter {
  if (anonymize === null || anonymize === undefined) return format
  return x => {
    anonymize(x)
    return format(x)
  }
}

class SinkLog implements AccessLog {
  readonly enabled = true
  private readonly format: LogFormatter
  private readonly sink: LogSink
  private failed = 0

  constructor(format: LogFormatter, sink: LogSink) {
    this.format = format
    this.sink = sink
  }

  log(x: Exchange): void {
    let line: string
    try {
      line = this.format(x)
    } catch (error) {
      this.failed++
      log.warn("observe", "the format of the access log failed", { error })
      return
    }
    this.sink.write(line)
  }

  reopen(): void {
    this.sink.reopen()
  }

  close(): Promise<void> {
    return this.sink.close()
  }

  dropped(): number {
    return this.sink.dropped() + this.failed
  }
}
