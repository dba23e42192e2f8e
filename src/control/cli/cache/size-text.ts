import { formatSize } from "../../../base/index.ts"
import { ENTRY_OVERHEAD_BYTES, type SizingReport, type SizingRow } from "../../../cache/index.ts"
import type { Style } from "../terminal.ts"
import { bar, columns, count, octets, percent, plural } from "./cell.ts"
import { CACHE_WORDS, type LogCounts } from "./log/log-scan.ts"

const BAR_WIDTH = 24
/** Share of what a cache without end answers at which the curve counts as flat. */
const FLAT = 0.995
/** Share of it that is worth its memory. */
const WORTH = 0.9

/** The hit ratio of each cache size as people read it. `full`: all sizes, not only those up to where the curve is flat. */
export function sizeText(report: SizingReport, counts: LogCounts, full: boolean, style: Style): string {
  const parts = [askedText(report, counts)]
  if (report.requests > 0) {
    const rows = full ? report.rows : upToFlat(report)
    parts.push(tableText(rows, report, style), `${adviceText(report, style)}${sampleText(report, rows)}`)
  }
  const did = didText(counts)
  if (did !== "") parts.push(did)
  parts.push(
    style.dim(
      `Simulated: the eviction of the memory store (S3-FIFO), empty at first, ${ENTRY_OVERHEAD_BYTES} octets an entry beside its body; what it keeps stays fresh.`,
    ) + "\n",
  )
  return parts.join("\n")
}

function askedText(report: SizingReport, counts: LogCounts): string {
  const about = report.share < 1 ? "about " : ""
  const asked = `${plural(report.requests, "request", "requests")} for ${about}${plural(report.urls, "URL", "URLs")} (${percent(report.askedOnce)} asked for once)`
  const lines = [`${asked}; ${octets(report.octets)} sent, ${about}${octets(report.footprint)} of them different`, leftOutText(counts)]
  if (counts.bad > 0) lines.push(`${plural(counts.bad, "line", "lines")} of ${count(counts.lines)} could not be read`)
  if (counts.uncached > 0 && counts.uncached < counts.counted)
    lines.push(`${count(counts.uncached)} of the requests were on routes without a cache; --route names those that count`)
  return lines
    .filter(line => line !== "")
    .map(line => `${line}\n`)
    .join("")
}

/** Why requests were left out, the most frequent reason first. "" = none was. */
export function leftOutText({ leftOut }: LogCounts): string {
  const words = {
    method: "not GET",
    status: "a status that is not kept",
    uncacheable: "that no cache may keep",
    route: "other routes",
    "no request": "no request",
  }
  const reasons = Object.entries(leftOut).filter(([, times]) => times > 0)
  const sum = reasons.reduce((total, [, times]) => total + times, 0)
  const told = reasons.sort((a, b) => b[1] - a[1]).map(([reason, times]) => `${count(times)} ${words[reason as keyof typeof words]}`)
  return sum === 0 ? "" : `${count(sum)} more left out: ${told.join(", ")}`
}

function isFlat(row: SizingRow, { unlimited }: SizingReport): boolean {
  return row.hitRatio >= FLAT * unlimited.hitRatio && row.octetHitRatio >= FLAT * unlimited.octetHitRatio
}

function upToFlat(report: SizingReport): readonly SizingRow[] {
  const end = report.rows.findIndex(row => isFlat(row, report))
  return end < 0 ? report.rows : report.rows.slice(0, end + 1)
}

function tableText(rows: readonly SizingRow[], { unlimited }: SizingReport, style: Style): string {
  const line = (name: string, of: { hitRatio: number; octetHitRatio: number }, mark: string) => [
    name,
    mark + percent(of.hitRatio),
    bar(of.hitRatio, BAR_WIDTH),
    mark + percent(of.octetHitRatio),
    bar(of.octetHitRatio, BAR_WIDTH),
  ]
  const body = rows.map(row => line(formatSize(row.capacity), row, row.rough ? "~" : ""))
  const all = [["CACHE", "OF REQUESTS", "", "OF OCTETS", ""], ...body, line("unlimited", unlimited, "")]
  return columns(all, [true, true, false, true, false], (cell, column, row) => (row > 0 && (column === 2 || column === 4) ? style.green(cell) : cell))
}

function adviceText(report: SizingReport, style: Style): string {
  const { rows, unlimited } = report
  const worth = rows.find(row => row.hitRatio >= WORTH * unlimited.hitRatio)
  if (unlimited.hitRatio === 0) return "No URL was asked for twice: a cache would have answered nothing.\n"
  if (worth === undefined) return `Even the largest of these sizes answers under ${percent(WORTH)} of what a cache without end would.\n`
  return `${style.bold(formatSize(worth.capacity))} is the smallest of these sizes that answers ${percent(WORTH)} of what a cache without end would.\n`
}

function sampleText({ share }: SizingReport, rows: readonly SizingRow[]): string {
  if (share === 1) return ""
  const rough = rows.some(row => row.rough) ? "; ~ marks sizes for which that is a rough guess" : ""
  return `A sample: 1 of ${count(1 / share)} URLs, chosen by hash, with all of its requests (--urls raises the number that is followed)${rough}.\n`
}

/** What the cache that wrote the log did; "" = the log names none. */
function didText({ did }: LogCounts): string {
  const sum = CACHE_WORDS.reduce((total, word) => total + did[word], 0)
  if (sum === 0) return ""
  const told = CACHE_WORDS.filter(word => did[word] > 0).map(word => `${word} ${percent(did[word] / sum)}`)
  return `The cache of this log itself, of ${plural(sum, "request", "requests")}: ${told.join(", ")}.\n`
}
