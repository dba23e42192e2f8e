/** A member of an object or array literal in source text. `key` is null in arrays. */
export interface Member {
  readonly key: string | null
  readonly keyAt: number
  readonly valueAt: number
}

/**
 * The members of the object or array literal that opens at `open`, or none when no literal opens there.
 * It knows strings, templates and comments, and nothing else of the language: good enough to point at a line, not to evaluate.
 */
export function members(text: string, open: number): Member[] {
  const array = text[open] === "["
  if (!array && text[open] !== "{") return []
  const found: Member[] = []
  let at = skipBlank(text, open + 1)
  while (at < text.length && text[at] !== "}" && text[at] !== "]") {
    found.push(memberAt(text, at, array))
    const end = endOfMember(text, at)
    if (text[end] !== ",") break
    at = skipBlank(text, end + 1)
  }
  return found
}

function memberAt(text: string, at: number, array: boolean): Member {
  if (array) return { key: null, keyAt: at, valueAt: at }
  const word = /^(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|([\p{ID_Start}$_][\p{ID_Continue}$]*))\s*(:?)/u.exec(text.slice(at, at + 300))
  if (word === null) return { key: "", keyAt: at, valueAt: at }
  const key = word[1] ?? word[2] ?? word[3] ?? ""
  return { key, keyAt: at, valueAt: word[4] === ":" ? skipBlank(text, at + word[0].length) : at }
}

/** Offset of the comma or closing bracket behind the member that starts at `at`. */
function endOfMember(text: string, at: number): number {
  let depth = 0
  let i = at
  while (i < text.length) {
    const char = text[i]!
    if (depth === 0 && (char === "," || char === "}" || char === "]" || char === ")")) return i
    if (char === "{" || char === "[" || char === "(") depth++
    else if (char === "}" || char === "]" || char === ")") depth--
    i = skipOne(text, i)
  }
  return i
}

/** Offset behind the string, template, comment or character at `at`. */
function skipOne(text: string, at: number): number {
  const char = text[at]!
  if (char === '"' || char === "'" || char === "`") return skipQuoted(text, at, char)
  const comment = skipComment(text, at)
  return comment === at ? at + 1 : comment
}

function skipQuoted(text: string, at: number, quote: string): number {
  let i = at + 1
  while (i < text.length && text[i] !== quote) i += text[i] === "\\" ? 2 : 1
  return i + 1
}

function skipComment(text: string, at: number): number {
  if (text.startsWith("//", at)) return endOf(text.indexOf("\n", at), text)
  if (text.startsWith("/*", at)) return endOf(text.indexOf("*/", at + 2), text) + 2
  return at
}

function endOf(index: number, text: string): number {
  return index < 0 ? text.length : index
}

function skipBlank(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    const next = /\s/.test(text[at]!) ? at + 1 : skipComment(text, at)
    if (next === at) return at
    at = next
  }
  return at
}
