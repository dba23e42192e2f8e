import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** One kind of feature: where its folders lie, the array that lists them, and the contract that each default export keeps. */
interface Kind {
  readonly folder: string
  readonly list: string
  readonly contract: string
  /** Says what the array holds, in the generated file. */
  readonly summary: string
}

export const kinds: readonly Kind[] = [
  { folder: "route/match", list: "matchers", contract: "MatcherDefinition", summary: "Keys under `match:`." },
  { folder: "filter", list: "filters", contract: "FilterDefinition", summary: "Keys under `filters:`." },
  { folder: "answer", list: "answers", contract: "AnswerDefinition", summary: "Keys under `to:`, beside cluster and origin." },
  { folder: "upstream/balance", list: "balancers", contract: "BalancerDefinition", summary: "Words and keys under `balance:`." },
  { folder: "upstream/health", list: "healthChecks", contract: "HealthCheckDefinition", summary: "Keys under `health:`." },
  { folder: "observe/format", list: "logFormats", contract: "LogFormatDefinition", summary: "Words and keys under `accessLog: format:`." },
]

/** Names of the feature folders in `folder`: `x/` counts when `x/x.ts` has a default export. Sorted by code unit, so every machine lists them alike. */
export function featureNames(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names: string[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && hasDefaultExport(join(folder, entry.name, `${entry.name}.ts`))) names.push(entry.name)
  }
  return names.sort()
}

function hasDefaultExport(file: string): boolean {
  return existsSync(file) && /^export (?:default\b|\{[^}]*\bas default\b)/m.test(readFileSync(file, "utf8"))
}

/** Source text of the index of every feature under `src`. */
export function renderFeatures(src: string): string {
  const found = kinds.map(kind => ({ kind, names: featureNames(join(src, kind.folder)) }))
  const imports = found.flatMap(({ kind, names }) =>
    names.map(name => `import ${identifier(kind, name)} from "../${kind.folder}/${name}/${name}.ts"`),
  )
  const contracts = kinds.map(kind => kind.contract).sort()
  const lists = found.map(({ kind, names }) => renderList(kind, names))
  return [
    "// Written by tools/gen.ts: every feature folder of every kind. Do not edit; run `npm run gen`.",
    `import type { ${contracts.join(", ")} } from "../plugin/index.ts"`,
    ...imports,
    "",
    lists.join("\n"),
  ].join("\n")
}

function renderList(kind: Kind, names: readonly string[]): string {
  const items = names.map(name => `  ${identifier(kind, name)},\n`).join("")
  const body = items === "" ? "[]" : `[\n${items}]`
  return `/** ${kind.summary} */\nexport const ${kind.list}: readonly ${kind.contract}<unknown>[] = ${body}\n`
}

// Two kinds may have a feature of the same name (health `http`, source `http`), so the kind's folder is part of the identifier.
function identifier(kind: Kind, name: string): string {
  const words = `${kind.folder.slice(kind.folder.lastIndexOf("/") + 1)}-${name}`
  return words.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
