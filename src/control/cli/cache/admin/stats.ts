import type { Command } from "commander"
import type { CacheStats, ResultCounts } from "../../../caches/cache-stats.ts"
import { addAdminOptions, type AdminOptions } from "../../admin-options.ts"
import type { CommandContext } from "../../program.ts"
import { columns, count, octets, percent, printable } from "../cell.ts"
import { CACHE_WORDS } from "../log/log-scan.ts"
import { askCaches } from "./ask-caches.ts"

interface StatsOptions extends AdminOptions {
  readonly json?: boolean
}

interface Stats {
  readonly caches: Readonly<Record<string, CacheStats>>
}

export function addCacheStats(cache: Command, context: CommandContext): void {
  const command = cache
    .command("stats")
    .description("how full the caches of a running instance are, and what came of the requests of each route")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (options: StatsOptions) => {
    const reply = await askCaches<Stats>({ method: "GET", path: "/cache/stats", query: {} }, options, context)
    if (reply !== null) context.out.write(options.json === true ? reply.body : statsText(reply.value))
  })
}

function statsText({ caches }: Stats): string {
  const all = Object.entries(caches)
  if (all.length === 0) return "there is no cache\n"
  const tiers = all.flatMap(([name, stats]) => [memoryRow(name, stats), ...diskRows(name, stats.disk)])
  const heading = ["CACHE", "TIER", "ENTRIES", "USED", "OF", "INSERTED", "EVICTED", "PURGED"]
  const rooms = columns([heading, ...tiers], [false, false, true, true, true, true, true, true])
  return `${rooms}\n${resultsText(all)}`
}

function memoryRow(name: string, { memory }: CacheStats): string[] {
  const numbers = [memory.inserted, memory.evicted, memory.purged].map(count)
  return [
    printable(name),
    memory.retired ? "memory (given up)" : "memory",
    count(memory.entries),
    octets(memory.usedBytes),
    octets(memory.bytes),
    ...numbers,
  ]
}

/** The disk's row, as far as it says how full it is. */
function diskRows(name: string, disk: unknown): string[][] {
  if (typeof disk !== "object" || disk === null) return []
  const { state, entries, bytes, bytesMax, counts } = disk as Record<string, unknown>
  const number = (value: unknown, write: (value: number) => string) => (typeof value === "number" ? write(value) : "")
  const counted = (typeof counts === "object" && counts !== null ? counts : {}) as Record<string, unknown>
  const tier = typeof state === "string" && state !== "ready" ? `disk (${printable(state)})` : "disk"
  const numbers = [counted["stored"], counted["evicted"], counted["purged"]].map(value => number(value, count))
  return [[printable(name), tier, number(entries, count), number(bytes, octets), number(bytesMax, octets), ...numbers]]
}

function resultsText(all: readonly (readonly [string, CacheStats])[]): string {
  const rows = all.flatMap(([name, stats]) => [
    resultRow(name, "all routes", stats),
    ...Object.entries(stats.routes).map(([route, counts]) => resultRow(name, route, counts)),
  ])
  const heading = ["CACHE", "ROUTE", "HIT RATIO", "SAVED", ...CACHE_WORDS.map(word => word.toUpperCase())]
  return columns([heading, ...rows], [false, false, ...heading.slice(2).map(() => true)])
}

function resultRow(cache: string, route: string, counts: ResultCounts): string[] {
  return [
    printable(cache),
    printable(route),
    percent(counts.hitRatio),
    octets(counts.bytesSaved),
    ...CACHE_WORDS.map(word => count(counts.results[word])),
  ]
}
