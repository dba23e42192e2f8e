import type { Command } from "commander"
import type { Purged } from "../../../caches/caches.ts"
import { addAdminOptions, type AdminOptions } from "../../admin-options.ts"
import type { CommandContext } from "../../program.ts"
import { several } from "../../serve-options.ts"
import { UsageError } from "../../usage-error.ts"
import { count, plural } from "../cell.ts"
import { askCaches } from "./ask-caches.ts"

interface PurgeOptions extends AdminOptions {
  readonly url?: readonly string[]
  readonly prefix?: readonly string[]
  readonly host?: readonly string[]
  readonly tag?: readonly string[]
  readonly all?: boolean
  readonly soft?: boolean
  readonly cache?: string
  readonly json?: boolean
}

const examples = `
All variants of a URL go, in all workers, before the command ends. What was being fetched meanwhile is not kept either. With --soft entries stay, as stale
ones: they are asked for again, and may be served while the server fails, if the route allows that.

Examples:
  bothways cache purge --url https://shop.example/item/1 --url https://shop.example/
  bothways cache purge --tag item-1 --soft
`

export function addCachePurge(cache: Command, context: CommandContext): void {
  const command = cache
    .command("purge")
    .description("remove entries from the caches of a running instance")
    .option("--url <url>", "the entries of this URL; repeatable", several)
    .option("--prefix <url>", "the entries whose URL begins like this; repeatable", several)
    .option("--host <name>", "the entries of this host, with :port or without; repeatable", several)
    .option("--tag <tag>", "the entries with this tag (Cache-Tag, Surrogate-Key …); repeatable", several)
    .option("--all", "everything")
    .option("--soft", "mark as stale, do not remove")
    .option("--cache <name>", "only in this cache (default: in all)")
    .option("--json", "as JSON")
    .addHelpText("after", examples)
  addAdminOptions(command).action(async (options: PurgeOptions) => {
    const { cache: name, soft } = options
    const replies: { body: string; value: Purged }[] = []
    for (const [word, value] of targetsOf(options)) {
      const query = { cache: name, [word]: value, soft: soft === true ? "true" : undefined }
      const reply = await askCaches<Purged>({ method: "POST", path: "/cache/purge", query }, options, context)
      if (reply === null) return
      replies.push(reply)
    }
    const sum = sumOf(replies.map(reply => reply.value))
    const json = replies.length === 1 ? replies[0]!.body : `${JSON.stringify(sum, null, 2)}\n`
    context.out.write(options.json === true ? json : purgedText(sum, soft === true))
  })
}

/** What is named, as the admin API takes it: one thing a request. */
function targetsOf(options: PurgeOptions): [string, string][] {
  const words = ["url", "prefix", "host", "tag"] as const
  const named = words.flatMap(word => (options[word] ?? []).map((value): [string, string] => [word, value]))
  const kinds = new Set(named.map(([word]) => word))
  if (options.all === true) kinds.add("all")
  if (kinds.size !== 1) throw new UsageError("expected one of --url, --prefix, --host, --tag and --all: what is to be purged?")
  return options.all === true ? [["all", "true"]] : named
}

function sumOf(all: readonly Purged[]): Purged {
  const caches: Record<string, { memory: number; disk: number }> = {}
  for (const [name, { memory, disk }] of all.flatMap(purged => Object.entries(purged.caches))) {
    const before = caches[name] ?? { memory: 0, disk: 0 }
    caches[name] = { memory: before.memory + memory, disk: before.disk + disk }
  }
  return { purged: all.reduce((sum, { purged }) => sum + purged, 0), caches }
}

function purgedText({ purged, caches }: Purged, soft: boolean): string {
  const where = Object.entries(caches).map(
    ([name, { memory, disk }]) => `${name}: ${count(memory)} in memory${disk > 0 ? `, ${count(disk)} on the disk` : ""}`,
  )
  const told = where.length === 0 ? "there is no cache" : where.join("; ")
  return `${plural(purged, "entry", "entries")} ${soft ? "marked as stale" : "purged"} (${told})\n`
}
