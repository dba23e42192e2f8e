/** One thing that is wrong, or odd, in a config. */
export interface Problem {
  readonly severity: "error" | "warning"
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** Counted from 1, in UTF-16 units. */
  readonly column: number
  /** Where it is in the model: `clusters.shop.peers[0]`; "" = the whole. */
  readonly path: string
  /** A whole sentence; it already names what was expected and the nearest valid word. */
  readonly message: string
  /** What the field takes, alone. */
  readonly expected?: string
  /** What to write instead. */
  readonly suggestion?: string
}

/** A path into the config as it was written. */
export type ConfigPath = readonly (string | number)[]

export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** One config text with its content and the way back from a path to a position. */
export interface ConfigSource {
  readonly file: string
  readonly text: string
  /** Plain data as written, before any schema. */
  readonly value: unknown
  /**
   * Position of the value at `path`, or of its key. When there is nothing at `path`, the position of what should hold it:
   * the key that leads there, or its first octet.
   */
  place(path: ConfigPath, part: "key" | "value"): Place
}

/** Something to say about a place that is known by its path only. */
export interface Finding {
  readonly severity: "error" | "warning"
  readonly path: ConfigPath
  readonly part: "key" | "value"
  readonly message: string
  readonly expected?: string
  readonly suggestion?: string
}

/** `clusters.shop.peers[0]`. */
export function pathText(path: ConfigPath): string {
  let text = ""
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(part)) text += text === "" ? part : `.${part}`
    else text += `[${JSON.stringify(part)}]`
  }
  return text
}

/** The path that a text of `pathText` says. */
export function parsePath(text: string): ConfigPath {
  const path: (string | number)[] = []
  for (const [, key, index, quoted] of text.matchAll(/(?:^|\.)([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)) {
    if (key !== undefined) path.push(key)
    else path.push(index !== undefined ? Number(index) : (JSON.parse(quoted!) as string))
  }
  return path
}

/** Tells line and column of an offset, both from 1. yaml's own LineCounter loses line breaks that lie within a syntax error. */
export function lineIndex(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return offset => {
    const bounded = Math.max(0, Math.min(offset, text.length))
    let low = 0
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= bounded) low = middle
      else high = middle
    }
    return { line: low + 1, column: bounded - starts[low]! + 1 }
  }
}

/** The value at `path`; undefined when there is none. Only own properties count. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}

export function locate(source: ConfigSource, finding: Finding): Problem {
  const { path, part, ...rest } = finding
  return { ...source.place(path, part), path: pathText(path), ...rest }
}

/** A problem of a file as a whole, such as one that cannot be read. */
export function fileProblem(file: string, message: string, at: { line: number; column: number } = { line: 1, column: 1 }): Problem {
  return { severity: "error", file, line: at.line, column: at.column, path: "", message }
}

/** By file, line, column; what is said twice is kept once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const sorted = [...problems].sort((a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.path, b.path))
  return sorted.filter((problem, i) => i === 0 || !same(problem, sorted[i - 1]!))
}

function same(a: Problem, b: Problem): boolean {
  return a.file === b.file && a.line === b.line && a.column === b.column && a.message === b.message && a.path === b.path
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
