import { CLASS, HTAB, SP, TOKEN, VALUE } from "../grammar.ts"

const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92

/** Checks what stands behind the first semicolon of a chunk's line: `name[=value]` and so on (RFC 9112 section 7.1.1). Extensions are rare. */
export function areExtensions(text: string): boolean {
  for (let at = 0; ; ) {
    const name = skipSpace(text, at)
    let end = skipToken(text, name)
    if (end === name) return false
    const equals = skipSpace(text, end)
    if (text.charCodeAt(equals) === EQUALS) end = skipValue(text, skipSpace(text, equals + 1))
    if (end < 0) return false
    // A space may stand before a semicolon, not before the end of the line.
    if (end === text.length) return true
    at = skipSpace(text, end)
    if (text.charCodeAt(at) !== SEMICOLON) return false
    at++
  }
}

function skipSpace(text: string, at: number): number {
  while (text.charCodeAt(at) === SP || text.charCodeAt(at) === HTAB) at++
  return at
}

function skipToken(text: string, at: number): number {
  while (at < text.length && (CLASS[text.charCodeAt(at)]! & TOKEN) !== 0) at++
  return at
}

/** Behind a token or a quoted string, or -1. */
function skipValue(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) {
    const end = skipToken(text, at)
    return end === at ? -1 : end
  }
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) return i + 1
    if (code === BACKSLASH) i++
    if ((CLASS[text.charCodeAt(i)]! & VALUE) === 0) return -1
  }
  return -1
}
