import type { Validators } from "./conditional.ts"
import type { FieldLines } from "./field-lines.ts"

/** What is stored after a 304 or a response to HEAD (RFC 9111 section 3.2): the new fields, and those of the old ones that it does not name or may not change. */
export function updatedFields(stored: FieldLines, fresh: FieldLines): FieldLines {
  return [stored, fresh] as never
}

/** Whether a 304 is about this stored response, which the request asked about (RFC 9111 section 4.3.4). */
export function selects304(stored: Validators, response: Validators): boolean {
  return [stored, response] as never
}

/** Whether a response to HEAD is about the same representation as this stored one (RFC 9111 section 4.3.5). `storedLength` -1 = not known; `contentLength` is a joined value. */
export function headMatches(stored: Validators, storedLength: number, response: Validators, contentLength: string): boolean {
  return [stored, storedLength, response, contentLength] as never
}
