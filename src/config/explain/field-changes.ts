import type { Fields } from "../../http/index.ts"
import type { FieldChanges } from "./explanation.ts"
import { shown } from "./shown.ts"

// What the proxy itself says in these is no secret of the config.
const own = /^(?:host|via|forwarded|x-forwarded-(?:for|proto|host|port))$/i

/** What was taken from a header section and added to it since it was parsed, each in its order. */
export function fieldChanges(fields: Fields): FieldChanges {
  const removed: string[] = []
  for (let i = 0; i < fields.count; i++) if (fields.ids[i] === -1) removed.push(shown(fields.nameAt(i)))
  const lines = fields.extra.split("\r\n").filter(line => line !== "")
  return { removed: [...new Set(removed)], added: lines.map(addedOf) }
}

function addedOf(line: string): FieldChanges["added"][number] {
  const name = line.slice(0, line.indexOf(":"))
  return { name, value: own.test(name) ? shown(line.slice(name.length + 1).trim()) : null }
}
