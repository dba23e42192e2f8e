import { type Command, InvalidArgumentError } from "commander"
import type { EntryFacts } from "../../../../cache/index.ts"
import { addAdminOptions, type AdminOptions } from "../../admin-options.ts"
import type { CommandContext } from "../../program.ts"
import { age } from "../../age.ts"
import { type Style, styleOf } from "../../terminal.ts"
import { columns, octets, plural, printable } from "../cell.ts"
import { askCaches } from "./ask-caches.ts"

type Entry = Omit<EntryFacts, "head"> & { readonly cache: string; readonly head?: string }

interface Entries {
  readonly entries: readonly Entry[]
  readonly more: boolean
}

interface EntriesOptions extends AdminOptions {
  readonly url?: string
  readonly prefix?: string
  readonly host?: string
  readonly tag?: string
  readonly cache?: string
  readonly limit?: string
  readonly json?: boolean
}

export function addCacheList(cache: Command, context: CommandContext): void {
  const command = cache
    .command("list")
    .description("what the caches of a running instance keep")
    .option("--url <url>", "only the entries of this URL")
    .option("--prefix <url>", "only the entries whose URL begins like this")
    .option("--host <name>", "only the entries of this host")
    .option("--tag <tag>", "only the entries with this tag")
    .option("--cache <name>", "only in this cache (default: in all)")
    .option("--limit <n>", "at most so many (default: 100)", readLimit)
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (options: EntriesOptions) => {
    const { cache: name, url, prefix, host, tag, limit } = options
    const reply = await askCaches<Entries>(
      { method: "GET", path: "/cache/entries", query: { cache: name, url, prefix, host, tag, limit } },
      options,
      context,
    )
    if (reply !== null) context.out.write(options.json === true ? reply.body : listText(reply.value))
  })
}

export function addCacheShow(cache: Command, context: CommandContext): void {
  const command = cache
    .command("show")
    .description("all variants of one URL that the caches of a running instance keep, with their header fields")
    .argument("<url>", "http://host/path")
    .option("--cache <name>", "only in this cache (default: in all)")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (url: string, options: EntriesOptions) => {
    const reply = await askCaches<Entries>({ method: "GET", path: "/cache/entry", query: { cache: options.cache, url } }, options, context)
    if (reply !== null) context.out.write(options.json === true ? reply.body : showText(reply.value, styleOf(context.out, context.env)))
  })
}

export function readLimit(text: string): string {
  if (!/^\d{1,6}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError("expected a number from 1 on")
  return text
}

function listText({ entries, more }: Entries): string {
  if (entries.length === 0) return "no entry\n"
  const severalCaches = new Set(entries.map(entry => entry.cache)).size > 1
  const heading = ["STATE", "STATUS", "OCTETS", "AGE", "LEFT", "TIER", ...(severalCaches ? ["CACHE"] : []), "URL", "VARIANT"]
  const rows = entries.map(entry => [
    stateOf(entry),
    entry.status === 0 ? "" : String(entry.status),
    octets(entry.bytes),
    entry.kind === "response" ? seconds(entry.age) : "",
    entry.kind === "vary-rule" ? "" : seconds(entry.ttl),
    entry.tier,
    ...(severalCaches ? [printable(entry.cache)] : []),
    printable(entry.url),
    printable(entry.kind === "vary-rule" ? entry.vary : entry.key),
  ])
  const told = columns([heading, ...rows], [false, true, true, true, true, ...heading.slice(5).map(() => false)])
  return more ? `${told}there are more; --limit shows more of them, --prefix fewer\n` : told
}

/** `fresh`, `stale`, `marked`; and rules, which are entries, too. */
function stateOf(entry: Entry): string {
  if (entry.kind === "vary-rule") return "vary rule"
  return entry.kind === "pass-rule" ? `pass: ${printable(entry.reason)}` : entry.state
}

/** `2m 5s`; of what is over, with a minus. */
function seconds(value: number): string {
  return value < 0 ? `-${age(-value * 1000)}` : value === 0 ? "0s" : age(value * 1000)
}

function showText({ entries }: Entries, style: Style): string {
  if (entries.length === 0) return "no entry\n"
  return `${entries.map(entry => entryText(entry, style)).join("\n")}${entries.length > 1 ? `\n${plural(entries.length, "entry", "entries")}\n` : ""}`
}

function entryText(entry: Entry, style: Style): string {
  const rows: [string, string][] = [
    ["cache", `${printable(entry.cache)}, ${entry.tier}, ${octets(entry.bytes)}`],
    ["state", stateText(entry)],
    ["status", entry.status === 0 ? "" : String(entry.status)],
    ["variant", printable(entry.key)],
    ["vary", printable(entry.vary)],
    ["tags", entry.tags.map(printable).join(", ")],
  ]
  const facts = rows.filter(([, value]) => value !== "").map(([name, value]) => `  ${name.padEnd(8)}${value}\n`)
  const lines = (entry.head ?? "").split(/\r?\n/).filter(line => line !== "")
  const head = lines.map(line => `  ${style.dim(printable(line))}\n`)
  return `${style.bold(printable(entry.url))}\n${facts.join("")}${head.join("")}`
}

function stateText(entry: Entry): string {
  if (entry.kind === "vary-rule") return "a rule: which fields tell the variants apart"
  if (entry.kind === "pass-rule") return `a rule: not stored for ${seconds(entry.ttl)} more (${printable(entry.reason)})`
  const left = entry.ttl > 0 ? `${seconds(entry.ttl)} left` : `for ${seconds(-entry.ttl)}`
  return `${entry.state}, ${left}, ${seconds(entry.age)} old`
}
