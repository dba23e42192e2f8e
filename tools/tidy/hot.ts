import { type FunctionBody, functionBodies } from "./functions.ts"
import type { Finding, Source } from "./source.ts"

interface HotRule {
  readonly rule: string
  readonly pattern: RegExp
  readonly message: string
}

/** What code that runs for every request may not do. What runs once, at load, may. */
const hotRules: readonly HotRule[] = [
  { rule: "async", pattern: /\b(?:async|await)\b/g, message: "no async in a hot file: a step returns a verdict" },
  { rule: "closure", pattern: /=>|\bfunction\b/g, message: "no function made inside a function of a hot file" },
  { rule: "spread", pattern: /\.\.\./g, message: "no spread in a hot file: it allocates" },
  { rule: "map", pattern: /\.(?:map|filter|forEach|flatMap|reduce)\s*\(/g, message: "no .map and its like in a hot file: write the loop" },
  { rule: "throw", pattern: /\bthrow\b/g, message: "no throw in a hot file: expected trouble is a fault, a broken invariant an assert" },
]

export function isHot(source: Source): boolean {
  return source.text.startsWith("// HOT\n")
}

export function checkHot(source: Source): Finding[] {
  if (!isHot(source)) return []
  const bodies = functionBodies(source)
  const outer = bodies.filter(body => body.depth === 0)
  const found: Finding[] = []
  const report = (at: number, rule: HotRule): void =>
    void found.push({ path: source.path, line: source.lineAt(at), rule: rule.rule, message: rule.message })
  for (const rule of hotRules) {
    for (const match of source.code.matchAll(rule.pattern)) {
      if (rule.rule === "async" || isInside(outer, match.index)) report(match.index, rule)
    }
  }
  // A method of an object literal is a function too, without a word that says so.
  for (const body of bodies) if (body.depth > 0 && !isArrowOrFunction(source, body)) report(body.start, hotRules[1]!)
  return found
}

function isInside(bodies: readonly FunctionBody[], at: number): boolean {
  return bodies.some(body => body.start < at && at < body.end)
}

function isArrowOrFunction(source: Source, body: FunctionBody): boolean {
  const line = source.code.slice(source.code.lastIndexOf("\n", body.start) + 1, body.start)
  return /=>|\bfunction\b/.test(line)
}
