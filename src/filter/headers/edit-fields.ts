// HOT
import { type Exchange, lineValue } from "../../flow/index.ts"
import type { Fields } from "../../http/index.ts"
import type { ValueReader } from "../variables.ts"

/** One line that is added; `replaces` removes all others of the name first. An empty value adds nothing. */
export interface FieldEdit {
  readonly name: string
  readonly lower: string
  readonly replaces: boolean
  readonly value: readonly ValueReader[]
}

export function readValue(x: Exchange, readers: readonly ValueReader[]): string {
  let value = ""
  for (let i = 0; i < readers.length; i++) value += readers[i]!(x)
  return value
}

/** Removes, then adds, in the order of the config. Values are read before anything changes: one may name a field that the next line replaces. */
export function editFields(x: Exchange, fields: Fields, removals: readonly string[], edits: readonly FieldEdit[]): void {
  let added = ""
  for (let i = 0; i < edits.length; i++) {
    const value = readValue(x, edits[i]!.value)
    if (value !== "") added += `${edits[i]!.name}: ${value}\r\n`
  }
  for (let i = 0; i < removals.length; i++) dropField(fields, removals[i]!)
  for (let i = 0; i < edits.length; i++) if (edits[i]!.replaces) dropField(fields, edits[i]!.lower)
  fields.extra += added
}

/** The first value of a field, as it came or as the proxy or a filter added it; "" when it is not there. */
export function fieldText(fields: Fields, lower: string): string {
  const value = fields.find(lower)
  if (value !== undefined) return value
  return fields.extra === "" ? "" : lineValue(fields.extra, lower)
}

/** Removes a field, as it came and as other filters added it. */
export function dropField(fields: Fields, lower: string): void {
  fields.removeName(lower)
  if (fields.extra !== "") dropAdded(fields, lower)
}

function dropAdded(fields: Fields, lower: string): void {
  const extra = fields.extra
  let kept = ""
  let from = 0
  let at = 0
  while (at < extra.length) {
    const end = extra.indexOf("\r\n", at) + 2
    if (end < 2) break
    if (lineNames(extra, at, lower)) {
      kept += extra.substring(from, at)
      from = end
    }
    at = end
  }
  if (from > 0) fields.extra = kept + extra.substring(from)
}

function lineNames(extra: string, at: number, lower: string): boolean {
  if (extra.charCodeAt(at + lower.length) !== 58) return false
  for (let i = 0; i < lower.length; i++) {
    const code = extra.charCodeAt(at + i)
    if ((code >= 65 && code <= 90 ? code + 32 : code) !== lower.charCodeAt(i)) return false
  }
  return true
}
