import type { Clock } from "../base/index.ts"
import type { LogSink } from "../plugin/index.ts"
import { createFileSink } from "./sink/file/file.ts"
import { createStdoutSink } from "./sink/stdout/stdout.ts"

/** Lines that filters write, by where they go: an absolute path, or "" for standard output. One for all filters of a worker that name the same. */
export class LineTargets {
  private readonly clock: Clock
  private readonly sinks = new Map<string, LogSink>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Opened when the first line is written. It stays when a config no longer names it: exchanges outlive reloads. */
  readonly of = (path: string): LogSink => {
    const known = this.sinks.get(path)
    if (known !== undefined) return known
    const sink = path === "" ? createStdoutSink(this.clock) : createFileSink(path, this.clock)
    this.sinks.set(path, sink)
    return sink
  }

  reopen(): void {
    for (const sink of this.sinks.values()) sink.reopen()
  }

  /** Writes what waits, for at most two seconds. */
  async close(): Promise<void> {
    await Promise.all([...this.sinks.values()].map(sink => sink.close()))
  }
}
