// HOT

/** What a member of a dictionary has as its value. */
export const SF_TRUE = 0
export const SF_FALSE = 1
export const SF_INTEGER = 2
export const SF_STRING = 3
/** A decimal, token, octet sequence or inner list. */
export const SF_OTHER = 4

/** Next member, no more members, not a dictionary. */
export const SF_MEMBER = 0
export const SF_END = 1
export const SF_INVALID = 2

const STAR = 42
const MINUS = 45
const DOT = 46
const SLASH = 47
const COLON = 58
const QUESTION = 63
const OPEN = 40
const CLOSE = 41

/** Walks over the members of a dictionary (RFC 8941 section 4.2.2), strictly: one octet that does not fit makes all of it invalid. Parameters are read and dropped. */
export class DictionaryCursor {
  text = ""
  #at = 0
  #first = true
  keyStart = 0
  keyEnd = 0
  /** One of SF_TRUE … SF_OTHER. */
  kind = SF_TRUE
  integer = 0
  /** Of a string: between the quotes, escapes as they came. */
  valueStart = 0
  valueEnd = 0

  start(text: string): void {
    this.text = text
    this.#first = true
    this.#at = 0
    while (this.#is(SP)) this.#at++
  }

  /** SF_MEMBER, SF_END or SF_INVALID. */
  next(): number {
    if (!this.#first && !this.#atEnd()) {
      if (!this.#take(COMMA)) return SF_INVALID
      this.#skipBlanks()
      if (this.#at >= this.text.length) return SF_INVALID
    }
    this.#first = false
    if (this.#atEnd()) return SF_END
    if (!this.#readKey()) return SF_INVALID
    this.keyStart = this.#keyStart
    this.keyEnd = this.#at
    this.kind = SF_TRUE
    if (this.#take(EQUALS) && !this.#readMember()) return SF_INVALID
    const { kind, integer, valueStart, valueEnd } = this
    if (!this.#readParameters()) return SF_INVALID
    this.kind = kind
    this.integer = integer
    this.valueStart = valueStart
    this.valueEnd = valueEnd
    this.#skipBlanks()
    return SF_MEMBER
  }

  is(key: string): boolean {
    return this.keyEnd - this.keyStart === key.length && this.text.startsWith(key, this.keyStart)
  }

  #keyStart = 0

  #atEnd(): boolean {
    return this.#at >= this.text.length
  }

  #is(code: number): boolean {
    return this.text.charCodeAt(this.#at) === code
  }

  #take(code: number): boolean {
    if (!this.#is(code)) return false
    this.#at++
    return true
  }

  /** Spaces and tabs, which may stand around the commas and behind the last member. */
  #skipBlanks(): void {
    while (!this.#atEnd() && isSpace(this.text.charCodeAt(this.#at))) this.#at++
  }

  /** Section 4.2.3.3. */
  #readKey(): boolean {
    this.#keyStart = this.#at
    const first = this.text.charCodeAt(this.#at)
    if (!isLower(first) && first !== STAR) return false
    while (isKeyOctet(this.text.charCodeAt(this.#at))) this.#at++
    return true
  }

  #readMember(): boolean {
    if (!this.#take(OPEN)) return this.#readBare()
    while (!this.#atEnd()) {
      while (this.#is(SP)) this.#at++
      if (this.#take(CLOSE)) {
        this.kind = SF_OTHER
        return true
      }
      if (!this.#readBare() || !this.#readParameters()) return false
      if (!this.#is(SP) && !this.#is(CLOSE)) return false
    }
    return false
  }

  /** Section 4.2.3.2. */
  #readParameters(): boolean {
    while (this.#take(SEMICOLON)) {
      while (this.#is(SP)) this.#at++
      if (!this.#readKey()) return false
      if (this.#take(EQUALS) && !this.#readBare()) return false
    }
    return true
  }

  /** A bare item (section 4.2.3.1). */
  #readBare(): boolean {
    const code = this.text.charCodeAt(this.#at)
    if (code === MINUS || isDigit(code)) return this.#readNumber()
    if (code === QUOTE) return this.#readString()
    if (code === QUESTION) return this.#readBoolean()
    this.kind = SF_OTHER
    if (code === COLON) return this.#readOctets()
    if (!isAlpha(code) && code !== STAR) return false
    while (isItemTokenOctet(this.text.charCodeAt(this.#at))) this.#at++
    return true
  }

  /** Section 4.2.4: 15 digits, or 12 and up to 3 behind the point. */
  #readNumber(): boolean {
    const sign = this.#take(MINUS) ? -1 : 1
    const start = this.#at
    let value = 0
    while (isDigit(this.text.charCodeAt(this.#at)) && this.#at - start < 16) value = value * 10 + this.text.charCodeAt(this.#at++) - 48
    const whole = this.#at - start
    if (whole === 0) return false
    this.kind = SF_INTEGER
    this.integer = sign * value
    if (!this.#is(DOT)) return whole <= 15
    this.#at++
    const point = this.#at
    while (isDigit(this.text.charCodeAt(this.#at)) && this.#at - point < 4) this.#at++
    this.kind = SF_OTHER
    return whole <= 12 && this.#at > point && this.#at - point <= 3
  }

  /** Section 4.2.5. */
  #readString(): boolean {
    this.kind = SF_STRING
    this.valueStart = ++this.#at
    for (; !this.#atEnd(); this.#at++) {
      let code = this.text.charCodeAt(this.#at)
      if (code === QUOTE) {
        this.valueEnd = this.#at++
        return true
      }
      if (code === BACKSLASH) {
        code = this.text.charCodeAt(++this.#at)
        if (code !== QUOTE && code !== BACKSLASH) return false
      }
      if (code < 32 || code > 126) return false
    }
    return false
  }

  /** Section 4.2.8. */
  #readBoolean(): boolean {
    const code = this.text.charCodeAt(this.#at + 1)
    this.#at += 2
    this.kind = code === 49 ? SF_TRUE : SF_FALSE
    return code === 48 || code === 49
  }

  /** Section 4.2.7: base64 between colons. */
  #readOctets(): boolean {
    const end = this.text.indexOf(":", this.#at + 1)
    if (end < 0) return false
    for (let at = this.#at + 1; at < end; at++) if (!isBase64Octet(this.text.charCodeAt(at))) return false
    this.#at = end + 1
    return true
  }
}

function isLower(code: number): boolean {
  return code >= 97 && code <= 122
}

function isAlpha(code: number): boolean {
  return isLower(code | 32) && code < 128
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isKeyOctet(code: number): boolean {
  return isLower(code) || isDigit(code) || code === 95 || code === MINUS || code === DOT || code === STAR
}

function isItemTokenOctet(code: number): boolean {
  return isTokenOctet(code) || code === COLON || code === SLASH
}

function isBase64Octet(code: number): boolean {
  return isAlpha(code) || isDigit(code) || code === 43 || code === SLASH || code === EQUALS
}
import { BACKSLASH, COMMA, EQUALS, isSpace, isTokenOctet, QUOTE, SEMICOLON, SP } from "../../http/index.ts"
