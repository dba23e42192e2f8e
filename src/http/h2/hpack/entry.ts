// HOT
/**
 * A header field as the tables of RFC 7541 keep it, shared between all blocks that name it.
 *
 *   name ": " value CR LF
 *   |________________| line: what a growing HTTP/1 form of the section takes over as it is
 */
import { CLASS, HTAB, SP, TOKEN, VALUE } from "../../grammar.ts"
import { nameId } from "../../names.ts"

/** What each entry costs beside its octets (RFC 7541 section 4.1). */
export const ENTRY_OVERHEAD = 32
const COLON = 58

/** One header field as the tables keep it: everything that is asked of it again and again is known. */
export class HeaderEntry {
  /** Latin1 text, one character an octet. */
  readonly name: string
  readonly value: string
  /** `${name}: ${value}\r\n` */
  readonly line: string
  /** nameId() of the name; 0 for names that are none of ours and for pseudo fields. */
  readonly id: number
  /** Octets of name and value and 32 (RFC 7541 section 4.1). */
  readonly size: number
  /** The name begins with a colon. */
  readonly pseudo: boolean
  /** The rules of RFC 9113 section 8.2.1 hold, and those of RFC 9110 section 5.5 for a value. */
  readonly sound: boolean

  /** `line` must be the line of name and value; `id` and `sound` what `idOfName`, `isSoundName` and `isSoundValue` say. */
  constructor(name: string, value: string, line: string, id: number, sound: boolean) {
    this.name = name
    this.value = value
    this.line = line
    this.id = id
    this.size = name.length + value.length + ENTRY_OVERHEAD
    this.pseudo = name.charCodeAt(0) === COLON
    this.sound = sound
  }

  /** An entry of any two texts; looks at each of their characters. */
  static of(name: string, value: string): HeaderEntry {
    return new HeaderEntry(name, value, `${name}: ${value}\r\n`, idOfName(name), isSoundName(name) && isSoundValue(value))
  }
}

export function idOfName(name: string): number {
  return nameId(name, 0, name.length)
}

/** Lower-case token characters, after the colon for a pseudo field (RFC 9113 sections 8.2.1 and 8.3). */
export function isSoundName(name: string): boolean {
  const length = name.length
  const first = length > 0 && name.charCodeAt(0) === COLON ? 1 : 0
  if (length === first) return false
  for (let i = first; i < length; i++) {
    const code = name.charCodeAt(i)
    if ((CLASS[code]! & TOKEN) === 0 || (code >= 65 && code <= 90)) return false
  }
  return true
}

/** No control octet but HTAB, and no blank at either end. An empty value is sound. */
export function isSoundValue(value: string): boolean {
  const length = value.length
  if (length === 0) return true
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(length - 1)
  if (first === SP || first === HTAB || last === SP || last === HTAB) return false
  for (let i = 0; i < length; i++) if ((CLASS[value.charCodeAt(i)]! & VALUE) === 0) return false
  return true
}
