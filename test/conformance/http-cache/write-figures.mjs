// Measures this proxy and its peers, and writes the figures into docs/conformance-cache.md.
//   bun test/conformance/http-cache/write-figures.mjs npm                               the copy of the suite from npm
//   HTTP_CACHE_TESTS=FOLDER bun test/conformance/http-cache/write-figures.mjs newest    another copy
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { cleanUp } from "../../support/processes.ts"
import { figureTable, openTests, withSection } from "./figures.ts"
import { measure } from "./measure.ts"

const titles = { reverse: "reverse", forward: "forward", nginx: "nginx", squid: "Squid", "squid-forward": "Squid, forward", varnish: "Varnish" }
const page = join(import.meta.dirname, "../../../docs/conformance-cache.md")
const section = process.argv[2] ?? "npm"

const columns = []
for (const [name, title] of Object.entries(titles)) {
  const measured = await measure(name)
  console.log(title, JSON.stringify(measured.score))
  columns.push({ title, measured })
}
const ours = columns.slice(0, 2).map(openTests)
writeFileSync(page, withSection(readFileSync(page, "utf8"), section, [figureTable(columns), ...ours].join("\n\n")))
cleanUp()
process.exit(0)
