import type { LogLevel, LogRecord } from "./log.ts"

const colours: Readonly<Record<LogLevel, string>> = { debug: "\x1b[2m", info: "\x1b[36m", warn: "\x1b[33m", error: "\x1b[31m" }
const plainColour = "\x1b[0m"

/** `2026-01-01T00:00:00.000Z warn net name does not resolve name=a.test error="no such name"` */
export function textLine(record: LogRecord, colour: boolean): string {
  const time = new Date(record.wall).toISOString()
  const level = colour ? `${colours[record.level]}${record.level}${plainColour}` : record.level
  let line = `${time} ${level} ${record.room} ${visible(record.message)}`
  for (const [name, value] of Object.entries(record.fields)) line += ` ${fieldText(name)}=${valueText(value)}`
  return `${line}\n`
}

/** The record as one JSON object; a field that has the name of one of the four fixed ones gets an underscore. */
export function jsonLine(record: LogRecord): string {
  const { wall, level, room, message, fields } = record
  const row: Record<string, unknown> = { time: new Date(wall).toISOString(), level, room, message }
  for (const [name, value] of Object.entries(fields)) row[name in row ? `${name}_` : name] = value
  return `${visible(JSON.stringify(row))}\n`
}

function fieldText(name: string): string {
  return name.replace(/[\s="]/g, "_").replace(/[^\x21-\x7e]/g, "?")
}

function valueText(value: unknown): string {
  if (typeof value !== "string") return visible(JSON.stringify(value))
  return value !== "" && /^[^\s"=\\]+$/.test(value) ? visible(value) : visible(JSON.stringify(value))
}

/** Control characters and marks that turn the reading direction as \u escapes: what a client sent must not drive the operator's terminal or fake a line. */
function visible(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}
