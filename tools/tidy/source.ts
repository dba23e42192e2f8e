/** One file to look at. Everything that rules need is found in one pass over its text. */
export interface Source {
  readonly path: string
  readonly text: string
  /** The text with comments, and the inside of strings, templates and patterns, as spaces: same length, same lines. */
  readonly code: string
  /** Line comments by line number, the text behind the slashes. */
  readonly comments: ReadonlyMap<number, string>
  readonly lineCount: number
  readonly imports: readonly Import[]
  lineAt(offset: number): number
}

export interface Import {
  readonly specifier: string
  readonly line: number
  /** `import type` or `export type`: gone at run time. */
  readonly typeOnly: boolean
  readonly reExport: boolean
}

/** What a rule found. `line` counts from 1. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly rule: string
  readonly message: string
}

export function readSource(path: string, text: string): Source {
  const { code, comments } = blank(text)
  const starts = lineStarts(text)
  const lineAt = (offset: number): number => lineOf(starts, offset)
  const lineCount = text.endsWith("\n") ? starts.length - 1 : starts.length
  return {
    path,
    text,
    code,
    comments: new Map(comments.map(c => [lineAt(c.at), c.text])),
    lineCount,
    imports: findImports(text, code, lineAt),
    lineAt,
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return starts
}

function lineOf(starts: readonly number[], offset: number): number {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle]! <= offset) low = middle
    else high = middle - 1
  }
  return low + 1
}

interface Comment {
  readonly at: number
  readonly text: string
}

// What may stand before a division; a slash after anything else begins a pattern.
const beforeDivision = /[\w$)\]}"'`]$/
const beforePattern = /\b(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield)$/

/** Replaces what is not code by spaces. Templates nest: `holes` remembers the brace depth at which each `${` closes. */
function blank(text: string): { code: string; comments: Comment[] } {
  const out = text.split("")
  const comments: Comment[] = []
  const holes: number[] = []
  let depth = 0
  let at = 0
  const wipe = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " "
  }
  const template = (from: number): number => {
    const end = templateEnd(text, from)
    wipe(from, end - (text[end - 1] === "`" ? 1 : 2))
    if (text[end - 1] === "{") holes.push(depth++)
    return end
  }
  while (at < text.length) {
    const c = text[at]!
    if (c === "/" && text[at + 1] === "/") {
      const end = endOf(text, "\n", at)
      comments.push({ at, text: text.slice(at + 2, end).trim() })
      wipe(at, end)
      at = end
    } else if (c === "/" && text[at + 1] === "*") {
      const end = endOf(text, "*/", at + 2) + 2
      wipe(at, end)
      at = end
    } else if (c === '"' || c === "'") {
      const end = quoteEnd(text, at)
      wipe(at + 1, end - 1)
      at = end
    } else if (c === "`") {
      at = template(at + 1)
    } else if (c === "}" && holes.at(-1) === depth - 1) {
      depth = holes.pop()!
      at = template(at + 1)
    } else if (c === "/" && startsPattern(out, at)) {
      const end = patternEnd(text, at)
      wipe(at + 1, end - 1)
      at = end
    } else {
      if (c === "{") depth++
      else if (c === "}") depth--
      at++
    }
  }
  return { code: out.join(""), comments }
}

function endOf(text: string, what: string, from: number): number {
  const end = text.indexOf(what, from)
  return end < 0 ? text.length : end
}

function quoteEnd(text: string, from: number): number {
  const quote = text[from]
  let at = from + 1
  while (at < text.length && text[at] !== quote && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1
  return at + 1
}

/** Behind the closing backtick, or behind the `${` of the next hole. */
function templateEnd(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    if (text[at] === "\\") at += 2
    else if (text[at] === "`") return at + 1
    else if (text[at] === "$" && text[at + 1] === "{") return at + 2
    else at++
  }
  return text.length
}

function startsPattern(out: readonly string[], at: number): boolean {
  const before = out
    .slice(Math.max(0, at - 40), at)
    .join("")
    .trimEnd()
  return !beforeDivision.test(before) || beforePattern.test(before)
}

function patternEnd(text: string, from: number): number {
  let inClass = false
  for (let at = from + 1; at < text.length && text[at] !== "\n"; at++) {
    const c = text[at]
    if (c === "\\") at++
    else if (c === "[") inClass = true
    else if (c === "]") inClass = false
    else if (c === "/" && !inClass) return at + 1
  }
  return from + 1
}

const fromClause = /\b(import|export)\b(\s+type\b)?([^;"'()=]*?)\bfrom\s*["']( *)["']/g
const bareImport = /\bimport\s*(\(?)\s*["']( *)["']/g

function findImports(text: string, code: string, lineAt: (offset: number) => number): Import[] {
  const found: Import[] = []
  for (const match of code.matchAll(fromClause)) {
    const specifier = specifierEndingAt(text, match.index + match[0].length - 1, match[4]!.length)
    found.push({ specifier, line: lineAt(match.index), typeOnly: match[2] !== undefined, reExport: match[1] === "export" })
  }
  for (const match of code.matchAll(bareImport)) {
    const specifier = specifierEndingAt(text, match.index + match[0].length - 1, match[2]!.length)
    // `import("zod").ZodType` in a type cannot be told from a call without a parser; members in upper case are types.
    const typeOnly = match[1] === "(" && /^\)\.[A-Z]/.test(code.slice(match.index + match[0].length, match.index + match[0].length + 3))
    found.push({ specifier, line: lineAt(match.index), typeOnly, reExport: false })
  }
  return found
}

function specifierEndingAt(text: string, end: number, length: number): string {
  return text.slice(end - length, end)
}
