import type { Command } from "commander"
import type { UncacheableUrl } from "../../../caches/uncacheable.ts"
import { addAdminOptions, type AdminOptions } from "../../admin-options.ts"
import type { CommandContext } from "../../program.ts"
import { type Style, styleOf } from "../../terminal.ts"
import { columns, count, octets, printable } from "../cell.ts"
import { askCaches } from "./ask-caches.ts"
import { readLimit } from "./entries.ts"

interface ReportOptions extends AdminOptions {
  readonly limit?: string
  readonly json?: boolean
}

interface Report {
  readonly urls: readonly UncacheableUrl[]
}

export function addCacheReport(cache: Command, context: CommandContext): void {
  const command = cache
    .command("report")
    .description("what is asked for most and not kept, why, and what would change it")
    .option("--limit <n>", "at most so many URLs (default: 100)", readLimit)
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (options: ReportOptions) => {
    const reply = await askCaches<Report>({ method: "GET", path: "/cache/report", query: { limit: options.limit } }, options, context)
    if (reply !== null) context.out.write(options.json === true ? reply.body : reportText(reply.value, styleOf(context.out, context.env)))
  })
}

function reportText({ urls }: Report, style: Style): string {
  if (urls.length === 0) return "nothing was asked for that is not kept\n"
  const rows = urls.map(url => [count(url.requests), octets(url.bytes), url.reason, url.route, url.url].map(printable))
  const table = columns([["REQUESTS", "OCTETS", "REASON", "ROUTE", "URL"], ...rows], [true, true, false, false, false])
  const reasons = new Map(urls.map(({ reason, meaning, remedy }) => [reason, { meaning, remedy }]))
  const told = [...reasons].map(
    ([reason, { meaning, remedy }]) => `${style.bold(printable(reason))}: ${printable(meaning)}\n  ${printable(remedy)}\n`,
  )
  return `${table}\n${told.join("")}`
}
