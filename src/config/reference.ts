import { configJsonSchema } from "./json-schema.ts"

interface Node {
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly items?: Node
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Node | boolean
  readonly anyOf?: readonly Node[]
  readonly not?: object
}

/** docs/reference/config.md: a table for every section of the config, from the schemas. */
export function writeReference(): string {
  const root = configJsonSchema() as Node
  return [
    "# Config reference",
    "",
    "Every key of the config. Unknown keys are errors. Durations are written `250ms`, `5s`, `1m`, `1h`, `2d`; sizes `64KB`, `10MB`, `1GB` (1 KB = 1024",
    "octets) or as a number of octets. Paths are relative to the config file. `NAME` stands for a name that you choose.",
    "",
    "A TypeScript config (`export default defineConfig({ … })`) may also give `match: { when: x => boolean }` and, among the filters, a filter object.",
    "",
    "A directory is a config too: its files that end in `.yaml`, `.yml`, `.json` or `.config.ts` are joined in the order of their names. Listeners, clusters and",
    "caches are united, routes are strung together, every other section belongs to one file. It is all or nothing: one bad file makes the whole invalid.",
    "",
    "`bothways check FILE` says what is wrong with a config, `bothways schema` prints its JSON Schema for editors.",
    "",
    ...section("", { ...root, description: undefined }, 2),
    "Written by `npm run gen` from `src/config/schema/` and the feature folders.",
    "",
  ].join("\n")
}

function section(path: string, node: Node, level: number): string[] {
  const properties = Object.entries(node.properties ?? {})
  if (properties.length === 0) return []
  const heading = path === "" ? "Top level" : `\`${path}\``
  const table = ["| key | type | default | meaning |", "|---|---|---|---|", ...properties.map(([key, value]) => row(key, value, node.required ?? []))]
  const intro = node.description === undefined ? [] : [node.description, ""]
  const below = properties.flatMap(([key, value]) => inner(path === "" ? key : `${path}.${key}`, value, Math.min(level + 1, 4)))
  return [`${"#".repeat(level)} ${heading}`, "", ...intro, ...table, "", ...below]
}

/** Sections below a key: what is inside its map, its list, or its forms. */
function inner(path: string, node: Node, level: number): string[] {
  if (node.properties) return section(path, node, level)
  if (node.items) return inner(`${path}[]`, node.items, level)
  if (typeof node.additionalProperties === "object") return inner(`${path}.NAME`, node.additionalProperties, level)
  return (node.anyOf ?? []).flatMap(form => inner(path, form, level))
}

function row(key: string, node: Node, required: readonly string[]): string {
  const fallback = node.default === undefined ? (required.includes(key) ? "required" : "") : `\`${written(node.default)}\``
  return `| \`${key}\` | ${cell(typeWords(node))} | ${cell(fallback)} | ${cell(node.description ?? "")} |`
}

function typeWords(node: Node): string {
  if (node.title) return node.title
  if (node.const !== undefined) return `\`${written(node.const)}\``
  if (node.enum) return node.enum.map(value => `\`${written(value)}\``).join(", ")
  if (node.anyOf) return [...new Set(node.anyOf.filter(form => !form.not).map(typeWords))].join(" or ")
  if (node.items) return `list of ${several(typeWords(node.items))}`
  if (node.properties) return "map"
  if (typeof node.additionalProperties === "object") return `map of names to ${several(typeWords(node.additionalProperties))}`
  return [node.type ?? "anything"]
    .flat()
    .map(type => typeNames[type] ?? type)
    .join(" or ")
}

const typeNames: Readonly<Record<string, string>> = { string: "text", integer: "whole number", boolean: "`true`, `false`", object: "map" }

/** Titles and type names in the plural; code stays as it is. */
function several(words: string): string {
  return words.replace(/(?<!`)\b(address range|address|range|port|map|text|path|whole number)\b(?!`)/g, word =>
    word === "address" ? "addresses" : `${word}s`,
  )
}

function written(value: unknown): string {
  return typeof value === "string" ? value || '""' : JSON.stringify(value)
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ")
}
