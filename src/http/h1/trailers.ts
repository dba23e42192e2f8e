import { Fields } from "../fields.ts"
import { mayTrail } from "../trailer-fields.ts"
import { parseFields } from "./parse-fields.ts"

const TRAILER_FIELDS_MAX = 64

/** The trailer lines that may travel on, ready-made; "" when there are none; null when the section breaks the grammar. */
export function cleanTrailers(section: string): string | null {
  if (section === "") return ""
  const fields = new Fields()
  const text = `${section}\r\n`
  fields.reset(text)
  if (parseFields(Buffer.from(text, "latin1"), 0, 0, fields, TRAILER_FIELDS_MAX) !== text.length) return null
  let out = ""
  for (let i = 0; i < fields.count; i++) if (mayTrail(fields.ids[i]!)) out += `${fields.nameAt(i)}: ${fields.valueAt(i)}\r\n`
  return out
}
