import { writeSync } from "node:fs"
import { type Clock, systemClock } from "./clock.ts"
import { LogLimit } from "./log-limit.ts"
import { jsonLine, textLine } from "./log-line.ts"

export type LogLevel = "debug" | "info" | "warn" | "error"

/** Facts beside the message. Errors become their text, objects plain data. Never put a secret here. */
export type LogFields = Readonly<Record<string, unknown>>

/** One entry, in plain data that may be posted to another thread. */
export interface LogRecord {
  /** Milliseconds since 1970 UTC. */
  readonly wall: number
  readonly level: LogLevel
  /** The room that speaks: `net`, `control` … */
  readonly room: string
  readonly message: string
  readonly fields: LogFields
}

export type LogSink = (record: LogRecord) => void

/** The log of one room. `message` is a literal; what varies goes into `fields`, because equal messages are counted and limited together. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const MESSAGE_PER_MINUTE_MAX = 20
const VALUE_CHARS_MAX = 8192

let threshold = ranks.info
let clock: Clock = systemClock
let limit = new LogLimit(MESSAGE_PER_MINUTE_MAX)
let sink: LogSink = writeToStderr

/** The operational log (not the access log): what the proxy has to say about itself. Each call names its room; see `logOf` for one that is bound. */
export const log = {
  debug: (room: string, message: string, fields?: LogFields) => say("debug", room, message, fields),
  info: (room: string, message: string, fields?: LogFields) => say("info", room, message, fields),
  warn: (room: string, message: string, fields?: LogFields) => say("warn", room, message, fields),
  error: (room: string, message: string, fields?: LogFields) => say("error", room, message, fields),
}

export function logOf(room: string): Log {
  return {
    debug: (message, fields) => say("debug", room, message, fields),
    info: (message, fields) => say("info", room, message, fields),
    warn: (message, fields) => say("warn", room, message, fields),
    error: (message, fields) => say("error", room, message, fields),
  }
}

/** Entries below are not made. Default `info`. */
export function setLogLevel(level: LogLevel): void {
  threshold = ranks[level]
}

/**
 * Where this thread's entries go; null = one line each to standard error: `time level room message key=value`, JSON when BOTHWAYS_LOG=json, in colour on
 * a terminal. A worker posts them to the control thread, which hands them to `writeLog`. The count of equal messages starts anew.
 */
export function setLogSink(next: LogSink | null, nextClock: Clock = systemClock): void {
  sink = next ?? writeToStderr
  clock = nextClock
  limit = new LogLimit(MESSAGE_PER_MINUTE_MAX)
}

/** Passes on an entry that another thread made; its level and its count were looked at there. */
export function writeLog(record: LogRecord): void {
  try {
    sink(record)
  } catch {
    // A log that cannot be written must not take down what it tells about.
  }
}

function say(level: LogLevel, room: string, message: string, fields: LogFields = {}): void {
  if (ranks[level] < threshold) return
  const key = `${level} ${room} ${message}`
  const dropped = limit.admit(key, clock.now())
  if (dropped < 0) return
  const plain = plainFields(fields)
  if (dropped > 0) plain["dropped"] = dropped
  if (limit.spent(key)) plain["limit"] = "more of these are dropped until the minute is over"
  writeLog({ wall: clock.wall(), level, room, message, fields: plain })
}

function plainFields(fields: LogFields): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) plain[name] = plainValue(value)
  }
  return plain
}

function plainValue(value: unknown): unknown {
  if (typeof value === "string") return value.length > VALUE_CHARS_MAX ? `${value.slice(0, VALUE_CHARS_MAX)}…` : value
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value
  if (value instanceof Error) return plainValue(`${value.name}: ${value.message}`)
  if (typeof value !== "object") return plainValue(String(value))
  try {
    const text = JSON.stringify(value)
    return text.length > VALUE_CHARS_MAX ? plainValue(text) : JSON.parse(text)
  } catch {
    return "[not plain data]"
  }
}

function writeToStderr(record: LogRecord): void {
  const json = process.env["BOTHWAYS_LOG"] === "json"
  const colour = !json && process.stderr.isTTY === true && !process.env["NO_COLOR"]
  const line = json ? jsonLine(record) : textLine(record, colour)
  try {
    // At once, so that the last words before an exit are not lost.
    writeSync(2, line)
  } catch (error) {
    // A full pipe that does not block takes it later.
    if ((error as { code?: string }).code === "EAGAIN") process.stderr.write(line)
  }
}
