// HOT
import { type Fields, NAME } from "../../http/index.ts"

const SPACE = 0x20
const TAB = 0x09
const COMMA = 0x2c

/** Whether our name stands in Via as a received-by, whole and in any case: the request has been here before (RFC 9110 section 7.6.3). `name` is in lower case. */
export function hasPassed(fields: Fields, name: string): boolean {
  const value = fields.joined(NAME.via).toLowerCase()
  for (let at = value.indexOf(name); at >= 0; at = value.indexOf(name, at + 1)) {
    if (isSpace(value, at - 1) && isEnd(value, at + name.length)) return true
  }
  return false
}

function isSpace(value: string, at: number): boolean {
  const code = value.charCodeAt(at)
  return code === SPACE || code === TAB
}

function isEnd(value: string, at: number): boolean {
  return at === value.length || value.charCodeAt(at) === COMMA || isSpace(value, at)
}
