import { functionBodies } from "./functions.ts"
import { checkHot } from "./hot.ts"
import { checkImports } from "./imports.ts"
import { checkLeaks, checkPages } from "./pages.ts"
import { checkBunSockets, checkExchange, checkName, checkPatterns, checkSizes } from "./shape.ts"
import { type Finding, readSource, type Source } from "./source.ts"

const codeFolders = /^(?:src|test|tools|bench|examples)\//

/** Runs every rule over a tree of files, given as path → text. Pure, so that its own test can feed it bad trees. */
export function check(files: ReadonlyMap<string, string>, registryHosts: readonly string[] = []): Finding[] {
  const sources: Source[] = []
  const found: Finding[] = []
  for (const [path, text] of files) {
    found.push(...checkLeaks(path, text, registryHosts))
    if (!codeFolders.test(path) || !/\.(?:ts|mjs)$/.test(path)) continue
    found.push(...checkName(path))
    if (!path.endsWith(".gen.ts")) sources.push(readSource(path, text))
    else found.push(...checkImports([readSource(path, text)]))
  }
  for (const source of sources) {
    found.push(...checkSizes(source), ...checkHot(source), ...checkBunSockets(source), ...checkPatterns(source), ...checkExchange(source))
  }
  found.push(...checkImports(sources), ...checkPages(files))
  return applyAllowances(found, sources)
}

const allowance = /^allow\(([a-z-]+)\):?\s*(.*)$/

/**
 * `// allow(rule): why` on the line, or the line above, breaks a rule: there, in the whole function that begins there, or, for a rule about the file,
 * in the file. One that breaks nothing is itself a finding.
 */
function applyAllowances(found: readonly Finding[], sources: readonly Source[]): Finding[] {
  const kept = new Set(found)
  const extra: Finding[] = []
  for (const source of sources) {
    const own = found.filter(finding => finding.path === source.path)
    for (const [line, text] of source.comments) {
      const match = allowance.exec(text)
      if (match === null) continue
      const [, rule, why] = match
      const last = rule === "file-lines" ? source.lineCount : lastLineCovered(source, line)
      const broken = own.filter(finding => finding.rule === rule && finding.line <= last && (finding.line >= line || rule === "file-lines"))
      for (const finding of broken) kept.delete(finding)
      if (why === "") extra.push({ path: source.path, line, rule: "allow", message: `allow(${rule}) needs its reason: \`// allow(${rule}): why\`` })
      if (broken.length === 0) extra.push({ path: source.path, line, rule: "allow", message: `allow(${rule}) breaks no rule here; take it out` })
    }
  }
  return [...kept, ...extra]
}

function lastLineCovered(source: Source, line: number): number {
  const body = functionBodies(source).find(each => source.lineAt(each.start) === line || source.lineAt(each.start) === line + 1)
  return body === undefined ? line + 1 : source.lineAt(body.end)
}
