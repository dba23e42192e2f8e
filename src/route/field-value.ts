// HOT
import type { Fields } from "../http/index.ts"

const LINE = 4 // integers per field in `spans`: see Fields

/** Where the value of the field at `index` begins in `fields.raw`: comparing there spares the string that `valueAt` makes. */
export function valueStart(fields: Fields, index: number): number {
  return fields.spans[index * LINE + 2]!
}

export function valueEnd(fields: Fields, index: number): number {
  return fields.spans[index * LINE + 3]!
}

/** text[start, end) is `wanted`. */
export function sliceIs(text: string, start: number, end: number, wanted: string): boolean {
  return end - start === wanted.length && text.startsWith(wanted, start)
}
