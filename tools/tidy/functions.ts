import type { Source } from "./source.ts"

/** The body of a function, braces included, as offsets. `depth` is the number of functions around it. */
export interface FunctionBody {
  readonly start: number
  readonly end: number
  readonly depth: number
}

const control = new Set(["if", "for", "while", "switch", "catch", "with"])
// `): Promise<string> {`: the text of a return type, without braces
const returnType = /\)\s*:\s*[\w$.:<>[\]|&,\s"'?()=-]*[\w$>\]"')]\s*$/

/** Every function body, found by matching braces: approximate, without a parser, and good enough for a style check. */
export function functionBodies(source: Source): FunctionBody[] {
  const { code } = source
  const found: FunctionBody[] = []
  const open: { at: number; isFunction: boolean; isReturnType: boolean }[] = []
  let depth = 0
  let lastClosed: { at: number; isReturnType: boolean } | null = null
  for (let at = 0; at < code.length; at++) {
    const c = code[at]
    if (c === "{") {
      const isFunction = opensFunction(code, at, lastClosed)
      open.push({ at, isFunction, isReturnType: !isFunction && /\)\s*:\s*$/.test(code.slice(Math.max(0, at - 20), at)) })
      if (isFunction) depth++
    } else if (c === "}") {
      const start = open.pop()
      if (start === undefined) continue
      lastClosed = { at, isReturnType: start.isReturnType }
      if (!start.isFunction) continue
      depth--
      found.push({ start: start.at, end: at, depth })
    }
  }
  return found.sort((a, b) => a.start - b.start)
}

function opensFunction(code: string, brace: number, lastClosed: { at: number; isReturnType: boolean } | null): boolean {
  const end = lastCode(code, brace - 1)
  const c = code[end]
  if (c === ">" && code[end - 1] === "=") return true
  if (c === ")") return !control.has(wordBefore(code, openingOf(code, end)))
  if (c === "}") return lastClosed !== null && lastClosed.at === end && lastClosed.isReturnType
  return returnType.test(code.slice(Math.max(0, brace - 200), brace)) && !startsWithCase(code, brace)
}

// `case f(x): {` looks like a return type to the pattern above.
function startsWithCase(code: string, brace: number): boolean {
  return /^\s*case\b/.test(code.slice(code.lastIndexOf("\n", brace) + 1, brace))
}

function lastCode(code: string, from: number): number {
  let at = from
  while (at >= 0 && /\s/.test(code[at]!)) at--
  return at
}

function openingOf(code: string, closing: number): number {
  let level = 0
  for (let at = closing; at >= 0; at--) {
    if (code[at] === ")") level++
    else if (code[at] === "(" && --level === 0) return at
  }
  return 0
}

function wordBefore(code: string, at: number): string {
  return /([\w$]+)\s*$/.exec(code.slice(Math.max(0, at - 40), at))?.[1] ?? ""
}
