/** Text that every match of a pattern holds. */
export interface RequiredLiteral {
  /** "" = nothing is known. */
  readonly text: string
  /** The match, and so the text, begins where the input begins. */
  readonly atStart: boolean
}

const nothing: RequiredLiteral = { text: "", atStart: false }
const repeat = /\{\d+(?:,\d*)?\}/y

/**
 * The longest run of plain characters outside of groups that any match of this RE2 pattern must hold. It is read with care rather than
 * with cleverness: alternatives, flags and escapes that are not known here give nothing, which only costs the short cut.
 */
export function requiredLiteral(pattern: string): RequiredLiteral {
  let best = nothing
  let run = ""
  let runAtStart = pattern.startsWith("^")
  // A repeated anchor may be repeated no time.
  if (runAtStart && quantifierAt(pattern, 1).text !== "") return nothing
  let at = runAtStart ? 1 : 0
  while (at < pattern.length) {
    const atom = atomAt(pattern, at)
    if (atom === null) return nothing
    const after = at + atom.length
    const times = quantifierAt(pattern, after)
    const kept = times.text === "" || times.text.startsWith("+")
    if (kept) run += atom.literal
    if (!kept || times.text !== "" || atom.literal === "") {
      if (run.length > best.text.length) best = { text: run, atStart: runAtStart }
      run = ""
      runAtStart = false
    }
    at = after + times.text.length
  }
  return run.length > best.text.length ? { text: run, atStart: runAtStart } : best
}

interface Atom {
  /** The character that it stands for, "" when it may be one of several. */
  readonly literal: string
  readonly length: number
}

function atomAt(pattern: string, at: number): Atom | null {
  const character = pattern[at]!
  if (character === "|" || character > "~") return null
  if (character === "(") return groupAt(pattern, at)
  if (character === "[") return span(at, classEnd(pattern, at))
  if (character === ".") return { literal: "", length: 1 }
  // The ends of the input hold no character, but what stands on both sides of one is not one run either.
  if (character === "^" || character === "$") return { literal: "", length: 1 }
  return character === "\\" ? escapeAt(pattern, at) : { literal: character, length: 1 }
}

function escapeAt(pattern: string, at: number): Atom | null {
  const escaped = pattern[at + 1] ?? ""
  if (/^[!-/:-@[-`{-~]$/.test(escaped)) return { literal: escaped, length: 2 }
  return /^[dDsSwWbBAz]$/.test(escaped) ? { literal: "", length: 2 } : null
}

/** A group counts as unknown text. One that sets flags (case) changes the meaning of what follows. */
function groupAt(pattern: string, at: number): Atom | null {
  if (pattern[at + 1] === "?" && !/^\?(?::|P?<)/.test(pattern.slice(at + 1, at + 4))) return null
  let depth = 0
  for (let i = at; i < pattern.length; i++) {
    const character = pattern[i]
    if (character === "\\") {
      if (pattern[i + 1] === "Q") return null
      i++
    } else if (character === "[") i = classEnd(pattern, i) - 1
    else if (character === "(") depth++
    else if (character === ")" && --depth === 0) return span(at, i + 1)
  }
  return null
}

/** The index behind the bracket that ends the class; a bracket that stands first is a member. */
function classEnd(pattern: string, at: number): number {
  let i = at + 1
  if (pattern[i] === "^") i++
  if (pattern[i] === "]") i++
  for (; i < pattern.length && pattern[i] !== "]"; i++) {
    if (pattern[i] === "\\") i++
    else if (pattern.startsWith("[:", i)) i = Math.max(i, pattern.indexOf(":]", i + 2) + 1)
  }
  return i + 1
}

function span(start: number, end: number): Atom {
  return { literal: "", length: end - start }
}

function quantifierAt(pattern: string, at: number): { readonly text: string } {
  repeat.lastIndex = at
  const counted = repeat.exec(pattern)
  const text = counted !== null ? counted[0] : "*+?".includes(pattern[at] ?? " ") ? pattern[at]! : ""
  return { text: text !== "" && pattern[at + text.length] === "?" ? `${text}?` : text }
}
