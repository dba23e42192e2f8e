// HOT
import { BACKSLASH, COMMA, EQUALS, isSpace, isToken, isWord, QUOTE, readDigits, SECONDS_MAX, skipSpace, trimEnd } from "../../http/index.ts"

/**
 * Walks over the directives of a joined Cache-Control or Pragma value (RFC 9111 section 5.2) without making anything: what it found last are positions.
 * It takes whatever comes: what is not a directive is stepped over, and a quote that never ends ends with its directive.
 */
export class DirectiveCursor {
  text = ""
  #at = 0
  #nameStart = 0
  #nameEnd = 0
  /** -1 = the directive has no argument. */
  valueStart = -1
  valueEnd = -1
  /** The argument, or the white space around its "=", is not what the grammar allows. */
  malformed = false

  start(text: string): void {
    this.text = text
    this.#at = 0
  }

  /** Goes to the next directive; false = there is none. */
  next(): boolean {
    const { text } = this
    const end = text.length
    let at = this.#at
    while (at < end && isSeparator(text.charCodeAt(at))) at++
    this.#at = at
    if (at >= end) return false
    this.#nameStart = at
    while (at < end && text.charCodeAt(at) !== EQUALS && text.charCodeAt(at) !== COMMA) at++
    this.#nameEnd = trimEnd(text, this.#nameStart, at)
    this.valueStart = -1
    this.valueEnd = -1
    this.malformed = false
    if (at < end && text.charCodeAt(at) === EQUALS) {
      this.malformed = at > this.#nameEnd
      at = this.#readValue(at + 1, end)
    }
    this.#at = at
    return true
  }

  /** Reads the argument at `from`; returns where its directive ends. */
  #readValue(from: number, end: number): number {
    const start = skipSpace(this.text, from, end)
    if (start > from) this.malformed = true
    if (start < end && this.text.charCodeAt(start) === QUOTE) {
      const closing = closingQuote(this.text, start + 1, end)
      if (closing >= 0) return this.#endQuoted(start + 1, closing, end)
    }
    const comma = this.#comma(start, end)
    this.valueStart = start
    this.valueEnd = trimEnd(this.text, start, comma)
    if (!isToken(this.text, this.valueStart, this.valueEnd)) this.malformed = true
    return comma
  }

  #endQuoted(start: number, closing: number, end: number): number {
    this.valueStart = start
    this.valueEnd = closing
    const comma = this.#comma(closing + 1, end)
    if (skipSpace(this.text, closing + 1, comma) < comma) this.malformed = true
    return comma
  }

  #comma(from: number, end: number): number {
    const comma = this.text.indexOf(",", from)
    return comma < 0 ? end : comma
  }

  /** Whether the directive has this name (lower case). */
  is(name: string): boolean {
    return isWord(this.text, this.#nameStart, this.#nameEnd, name)
  }

  /** The argument in seconds; -1 = there is none, or it is no number (section 1.2.2). */
  seconds(): number {
    return this.malformed || this.valueStart < 0 ? -1 : readDigits(this.text, this.valueStart, this.valueEnd, SECONDS_MAX)
  }
}

function isSeparator(code: number): boolean {
  return code === COMMA || isSpace(code)
}

/** Where the string ends whose inside begins at `at` (RFC 9110 section 5.6.4), -1 = nowhere. */
function closingQuote(text: string, at: number, end: number): number {
  for (; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at
    if (code === BACKSLASH) at++
  }
  return -1
}
