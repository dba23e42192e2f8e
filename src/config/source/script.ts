import { type ConfigPath, type ConfigSource, fileProblem, lineIndex, type Place } from "../problem.ts"
import { members } from "./literal.ts"
import { scriptProblem } from "./script-error.ts"
import type { SourceResult } from "./yaml.ts"
import { createRequire } from "node:module"
import { dirname, join, sep } from "node:path"

/** How long a script's own `await`s may take, together. */
const scriptMs = 10_000

let loads = 0

/**
 * Runs a TypeScript or JavaScript config and takes its default export. Each load runs the file afresh, and what it imports from its own
 * folder and below; packages run once in the life of the process. `text` is the file's content, for positions.
 */
export async function readScript(text: string, file: string): Promise<SourceResult> {
  loads++
  let value: unknown
  try {
    value = await withLimit(importFresh(file))
  } catch (error) {
    return { source: null, problems: [scriptProblem(error, file, text)] }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { source: null, problems: [fileProblem(file, "expected `export default defineConfig({ … })`, got no object as default export")] }
  }
  return { source: scriptSource(text, file, value), problems: [] }
}

const { cache } = createRequire(import.meta.url)
const ownFolder = join(import.meta.dirname, "..", "..")

/** The query makes the file itself new; what it loaded is taken out of the runtime's register again, so that the next load finds it changed. */
async function importFresh(file: string): Promise<unknown> {
  const before = new Set(Object.keys(cache))
  try {
    const module = (await import(`${file}?load=${loads}`)) as { default?: unknown }
    return module.default
  } finally {
    for (const name of Object.keys(cache)) if (!before.has(name) && belongsTo(file, name)) delete cache[name]
  }
}

/** Never our own modules: a second copy of one would have a state of its own. */
function belongsTo(file: string, name: string): boolean {
  return name.startsWith(join(dirname(file), sep)) && !name.startsWith(join(ownFolder, sep)) && !name.includes(`${sep}node_modules${sep}`)
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
  return { file, ...lineIndex(text)(offset) }
}

function startOfLiteral(text: string): number {
  const start = /\bexport\s+default\b[^{]*\{/.exec(text) ?? /\bdefineConfig\s*\(\s*\{/.exec(text)
  return start ? start.index + start[0].length - 1 : 0
}

/** An `await` that never ends would hold up this load and every one after it. */
function withLimit(work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(`it waits for something that did not come within ${scriptMs / 1000} s`), scriptMs)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
