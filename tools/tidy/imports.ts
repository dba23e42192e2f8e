import { posix } from "node:path"
import { roomOf, rooms } from "./rooms.ts"
import type { Finding, Import, Source } from "./source.ts"

/** The import law: rooms import lower floors only, and each other only through index.ts; no other barrels; no cycles. */
export function checkImports(sources: readonly Source[]): Finding[] {
  const found: Finding[] = []
  for (const source of sources) {
    if (!source.path.startsWith("src/")) continue
    checkBarrel(source, found)
    for (const entry of source.imports) checkImport(source, entry, found)
  }
  checkCycles(sources, found)
  return found
}

function targetOf(source: Source, entry: Import): string {
  return entry.specifier.startsWith(".") ? posix.join(posix.dirname(source.path), entry.specifier) : ""
}

function checkBarrel(source: Source, found: Finding[]): void {
  const isRoomIndex = /^src\/[^/]+\/index\.ts$/.test(source.path)
  if (isRoomIndex) return
  const report = (line: number, message: string): void => void found.push({ path: source.path, line, rule: "barrel", message })
  if (source.path.endsWith("/index.ts")) return report(1, "only a room has an index.ts; import the file itself")
  for (const entry of source.imports) if (entry.reExport) report(entry.line, "only a room's index.ts passes on what others export")
}

function checkImport(source: Source, entry: Import, found: Finding[]): void {
  const target = targetOf(source, entry)
  if (target === "") return
  const report = (rule: string, message: string): void => void found.push({ path: source.path, line: entry.line, rule, message })
  if (!target.startsWith("src/")) {
    if (!source.path.endsWith(".test.ts")) report("floor", `src does not import ${target}, which lies outside it`)
    return
  }
  if (target === "src/main.ts") return report("floor", "nothing imports main.ts")
  const from = roomOf(source.path)
  const to = roomOf(target)
  if (from === to) return
  const problem = floorProblem(from, to)
  if (problem !== "") report("floor", problem)
  // The generated index is the one place that names feature folders.
  if (target !== `src/${to}/index.ts` && !source.path.endsWith(".gen.ts")) report("index-only", `import ${to} through src/${to}/index.ts`)
}

/** "" when room `from` may import room `to`. main.ts is the roof: above every floor. */
function floorProblem(from: string, to: string): string {
  const upper = from === "" ? { floor: Number.POSITIVE_INFINITY } : rooms[from]
  const lower = rooms[to]
  if (upper === undefined || lower === undefined) return `${upper === undefined ? from : to} is not one of the twelve rooms`
  return lower.floor < upper.floor ? "" : `${from} (floor ${upper.floor}) may not import ${to} (floor ${lower.floor})`
}

/** Cycles between modules at run time; types may refer to each other. */
function checkCycles(sources: readonly Source[], found: Finding[]): void {
  const known = new Map(sources.map(source => [source.path, source]))
  const done = new Set<string>()
  const visit = (source: Source, trail: readonly string[]): void => {
    const again = trail.indexOf(source.path)
    if (again >= 0) {
      const chain = [...trail.slice(again), source.path].join(" → ")
      return void found.push({ path: source.path, line: 1, rule: "cycle", message: `import cycle: ${chain}` })
    }
    if (done.has(source.path)) return
    const next = [...trail, source.path]
    for (const entry of source.imports) {
      const target = entry.typeOnly ? undefined : known.get(targetOf(source, entry))
      if (target !== undefined) visit(target, next)
    }
    done.add(source.path)
  }
  for (const source of sources) visit(source, [])
}
