import { columns, count, octets, percent, plural, printable } from "../cache/cell.ts"
import type { Style } from "../terminal.ts"
import type { Dimension, Sums, Tally } from "./tally.ts"

/** The report as tables for a terminal: at most `top` rows each. */
export function reportText(tally: Tally, top: number, style: Style): string {
  return [overview(tally, style), ...[...tally.by.keys()].map(dimension => tableOf(tally, dimension, top, style))].join("\n")
}

/** What all records come to, in two lines. */
export function overview({ all, firstMs, lastMs }: Tally, style: Style): string {
  const span = firstMs === Infinity ? "" : `, ${local(firstMs)} to ${local(lastMs)}`
  const first = `${style.bold(plural(all.requests, "request", "requests"))}${span}: ${octets(all.received)} received, ${octets(all.sent)} sent\n`
  if (all.requests === 0) return first
  const share = (part: number): string => percent(part / all.requests)
  return `${first}blocked ${count(all.blocked)} (${share(all.blocked)}), failed ${count(all.failed)} (${share(all.failed)}), from the cache ${count(all.cached)} (${share(all.cached)}, ${octets(all.saved)})\n`
}

/** `2026-11-26 14:05`, in the machine's zone. */
export function local(ms: number): string {
  const time = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, "0")
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`
}

function tableOf(tally: Tally, dimension: Dimension, top: number, style: Style): string {
  const groups = tally.sorted(dimension)
  if (groups.length === 0) return style.dim(`by ${dimension}: no line says it\n`)
  const heading = [dimension.toUpperCase(), "REQUESTS", "BLOCKED", "FAILED", "CACHED", "RECEIVED", "SENT"]
  const rows = groups.slice(0, top).map(([key, sums]) => rowOf(key, sums))
  const body = columns([heading, ...rows], [false, true, true, true, true, true, true])
  const rest = groups.length - rows.length
  return rest > 0 ? `${body}${style.dim(`and ${count(rest)} more (--top)`)}\n` : body
}

function rowOf(key: string, sums: Sums): string[] {
  const some = (value: number): string => (value === 0 ? "-" : count(value))
  return [printable(key), count(sums.requests), some(sums.blocked), some(sums.failed), some(sums.cached), octets(sums.received), octets(sums.sent)]
}
