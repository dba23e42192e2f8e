import type { Exchange } from "../flow/index.ts"

/** Turns a finished exchange into one line, newline included. Runs for every request when logging is on: keep it lean. */
export type LogFormatter = (x: Exchange) => string

export interface LogFormatDefinition<Options> {
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  compile(options: Options): LogFormatter
}

export function defineLogFormat<Options>(definition: LogFormatDefinition<Options>): LogFormatDefinition<Options> {
  return definition
}

/** Takes whole lines. Batches writes; never blocks the data path; counts what it had to drop. */
export interface LogSink {
  write(line: string): void
  /** Opens the target again (SIGUSR1, or the file was moved). */
  reopen(): void
  /** Flushes and closes. */
  close(): Promise<void>
  /** Lines lost because the target did not keep up. */
  dropped(): number
}
