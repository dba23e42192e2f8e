import { type ConfigPath, type ConfigSource, fileProblem, type Place } from "../problem.ts"
import { members } from "./literal.ts"
import type { SourceResult } from "./yaml.ts"
import { pathToFileURL } from "node:url"

let loads = 0

/**
 * Runs a TypeScript or JavaScript config and takes its default export. Each load runs the file afresh; modules that it imports
 * are run once in the life of the process. `text` is the file's content, for positions.
 */
export async function readScript(text: string, file: string): Promise<SourceResult> {
  loads++
  let value: unknown
  try {
    const module = (await import(`${pathToFileURL(file).href}?load=${loads}`)) as { default?: unknown }
    value = module.default
  } catch (error) {
    return { source: null, problems: [fileProblem(file, `cannot be run: ${firstLine(error)}`, positionOf(error))] }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { source: null, problems: [fileProblem(file, "expected `export default defineConfig({ … })`, got no object as default export")] }
  }
  return { source: scriptSource(text, file, value), problems: [] }
}

function scriptSource(text: string, file: string, value: object): ConfigSource {
  return { file, text, value, place: (path, part) => placeIn(text, file, path, part) }
}

/** Best effort: follows the literal in the source text as far as it goes. What is computed has the position of the last literal part. */
function placeIn(text: string, file: string, path: ConfigPath, part: "key" | "value"): Place {
  let offset = startOfLiteral(text)
  let open = offset
  for (const [depth, step] of path.entries()) {
    const member = members(text, open).find((entry, index) => (typeof step === "number" ? index === step && entry.key === null : entry.key === step))
    if (member === undefined) break
    const last = depth === path.length - 1
    offset = (last && part === "value") || member.key === null ? member.valueAt : member.keyAt
    open = member.valueAt
  }
  return { file, ...lineAndColumn(text, offset) }
}

function startOfLiteral(text: string): number {
  const start = /\bexport\s+default\b[^{]*\{/.exec(text) ?? /\bdefineConfig\s*\(\s*\{/.exec(text)
  return start ? start.index + start[0].length - 1 : 0
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split("\n")
  return { line: before.length, column: before[before.length - 1]!.length + 1 }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split("\n")[0]!
}

// The runtime's syntax errors carry the place beside the message.
function positionOf(error: unknown): { line: number; column: number } | undefined {
  const position = (error as { position?: { line?: unknown; column?: unknown } | null } | null)?.position
  return typeof position?.line === "number" && typeof position.column === "number"
    ? { line: Math.max(1, position.line), column: Math.max(1, position.column) }
    : undefined
}
