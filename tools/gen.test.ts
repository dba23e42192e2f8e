import { expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { faults } from "../src/base/index.ts"
import { temporaryFolder } from "../test/support/processes.ts"
import { CACHE_REASONS } from "../src/cache/index.ts"
import { renderCacheReasons } from "./gen/cache-reasons.ts"
import { renderFaults } from "./gen/faults.ts"
import { featureNames, renderFeatures } from "./gen/features.ts"

function tree(files: Record<string, string>): string {
  const src = temporaryFolder("gen")
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(src, path)), { recursive: true })
    writeFileSync(join(src, path), text)
  }
  return src
}

test("a folder counts when its file of the same name has a default export", () => {
  const src = tree({
    "filter/b/b.ts": "export default defineFilter({})\n",
    "filter/a-b/a-b.ts": "const x = 1\nexport { x as default }\n",
    "filter/none/none.ts": "export const x = 1 // export default\n",
    "filter/other/name.ts": "export default 1\n",
    "filter/file.ts": "export default 1\n",
  })
  expect(featureNames(join(src, "filter"))).toEqual(["a-b", "b"])
  expect(featureNames(join(src, "absent"))).toEqual([])
})

test("features of one name in two kinds do not meet", () => {
  const src = tree({ "filter/http/http.ts": "export default 1\n", "upstream/health/http/http.ts": "export default 1\n" })
  const text = renderFeatures(src)
  expect(text).toContain('import filterHttp from "../filter/http/http.ts"')
  expect(text).toContain('import healthHttp from "../upstream/health/http/http.ts"')
  expect(text).toContain("export const filters: readonly FilterDefinition<unknown>[] = [\n  filterHttp,\n]")
  expect(text).toContain("export const balancers: readonly BalancerDefinition<unknown>[] = []")
})

test("the fault page has a row for every fault", () => {
  const rows = renderFaults(faults)
    .split("\n")
    .filter(line => line.startsWith("| `"))
  expect(rows.length).toBe(faults.length)
  for (const fault of faults) expect(rows.some(row => row.startsWith(`| \`${fault.code}\` | ${fault.status || "none"} |`))).toBe(true)
})

test("the page of the cache's reasons has a row for each word, with what to do", () => {
  const rows = renderCacheReasons(CACHE_REASONS)
    .split("\n")
    .filter(line => line.startsWith("| `"))
  expect(rows.length).toBe(Object.keys(CACHE_REASONS).length)
  for (const [word, { remedy }] of Object.entries(CACHE_REASONS)) {
    expect(rows.some(row => row.startsWith(`| \`${word}\` | `) && row.endsWith(` | ${remedy} |`))).toBe(true)
  }
})
