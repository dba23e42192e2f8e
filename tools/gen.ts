import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { faults } from "../src/base/index.ts"
import { phases } from "../src/config/compile/phases.ts"
import { renderCacheReasons } from "./gen/cache-reasons.ts"
import { renderFaults } from "./gen/faults.ts"
import { renderFeatures } from "./gen/features.ts"
import { renderJourney } from "./gen/journey.ts"

// Writes every generated file, or with --check says which are stale. Features come first: the other files import the rooms that need them.
const root = join(import.meta.dirname, "..")

interface Generated {
  readonly file: string
  render(): Promise<string> | string
}

const generated: readonly Generated[] = [
  { file: "src/config/features.gen.ts", render: () => renderFeatures(join(root, "src")) },
  { file: "docs/faults.md", render: () => renderFaults(faults) },
  { file: "docs/journey.md", render: () => renderJourney(phases) },
  { file: "docs/reference/config.md", render: renderReference },
  { file: "docs/cache-reasons.md", render: renderReasons },
]

const check = process.argv.includes("--check")
let troubles = 0
for (const entry of generated) troubles += (await bring(entry)) ? 0 : 1
process.exitCode = troubles === 0 ? 0 : 1

/** Imported late, so that a stale features.gen.ts is mended before the rooms that import it load. */
async function renderReference(): Promise<string> {
  return (await import("../src/config/reference.ts")).writeReference()
}

async function renderReasons(): Promise<string> {
  return renderCacheReasons((await import("../src/cache/index.ts")).CACHE_REASONS)
}

/** Writes or checks one file; false when it is stale or cannot be made. */
async function bring(entry: Generated): Promise<boolean> {
  const path = join(root, entry.file)
  let text: string
  try {
    text = await entry.render()
  } catch (error) {
    console.error(`${entry.file}: cannot be made: ${error instanceof Error ? error.message : error}`)
    return false
  }
  const fresh = existsSync(path) && readFileSync(path, "utf8") === text
  if (fresh) return true
  if (check) {
    console.error(`${entry.file}: stale; run \`npm run gen\``)
    return false
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  console.log(`${entry.file}: written`)
  return true
}
