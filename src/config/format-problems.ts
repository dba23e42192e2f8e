import { readFileSync, statSync } from "node:fs"
import type { Problem } from "./problem.ts"
import { fileBytesMax } from "./source/read.ts"

export interface FormatOptions {
  /** ANSI colours; default false. */
  readonly colour?: boolean
  /** Text of a file, for the lines that are shown; default: read from the disk. null = no lines. */
  readonly textOf?: (file: string) => string | null
}

/**
 *     bothways.yaml:3:1: error: unknown key "liseners"; did you mean "listeners"?
 *         3 | liseners:
 *           | ^
 */
export function formatProblems(problems: readonly Problem[], options: FormatOptions = {}): string {
  const paint = options.colour ? ansi : plain
  const lines = linesOf(options.textOf ?? readText)
  return problems.map(problem => `${formatOne(problem, paint, lines(problem.file))}\n`).join("")
}

type Paint = (code: number, text: string) => string

const ansi: Paint = (code, text) => `\x1b[${code}m${text}\x1b[0m`
const plain: Paint = (_code, text) => text

const bold = 1
const red = 31
const yellow = 33
const blue = 34

function formatOne(problem: Problem, paint: Paint, lines: readonly string[]): string {
  const tone = problem.severity === "error" ? red : yellow
  const where = paint(bold, `${problem.file}:${problem.line}:${problem.column}:`)
  const path = problem.path === "" ? "" : `${problem.path}: `
  return [`${where} ${paint(tone, `${problem.severity}:`)} ${path}${problem.message}`, ...excerpt(problem, paint, tone, lines)].join("\n")
}

function excerpt(problem: Problem, paint: Paint, tone: number, lines: readonly string[]): string[] {
  const line = lines[problem.line - 1]
  if (line === undefined || line.trim() === "") return []
  const shown = hideSecrets(line)
  const { text, column } = shorten(shown, problem.column)
  const number = String(problem.line).padStart(6)
  return [`${paint(blue, `${number} |`)} ${text}`, `${paint(blue, `${" ".repeat(6)} |`)} ${" ".repeat(column - 1)}${paint(tone, "^")}`]
}

/** Stars of the same length, so that the caret stays where it belongs. */
function hideSecrets(line: string): string {
  return line.replace(
    /(\b(?:token|password|secret)["']?\s*:\s*)("[^"]*"?|'[^']*'?|[^\s,}#]+)/gi,
    (_, key: string, value: string) => key + "*".repeat(value.length),
  )
}

const widthMax = 120

/** A part of a long line around the column. Tabs, and what a terminal might obey, are single blanks. */
function shorten(line: string, column: number): { text: string; column: number } {
  const text = line.replace(/[\x00-\x1f\x7f-\x9f]/g, " ").trimEnd()
  const from = column > widthMax - 20 ? column - 60 : 0
  return { text: text.slice(from, from + widthMax), column: column - from }
}

/** Reads each file once for all problems in it. */
function linesOf(textOf: (file: string) => string | null): (file: string) => readonly string[] {
  const known = new Map<string, readonly string[]>()
  return file => {
    const lines = known.get(file) ?? textOf(file)?.split("\n") ?? []
    known.set(file, lines)
    return lines
  }
}

/** null for what the loader takes for no config at all. */
function readText(file: string): string | null {
  try {
    return statSync(file).size > fileBytesMax ? null : new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file))
  } catch {
    return null
  }
}
