import type { Style } from "../../terminal.ts"
import { columns, count, octets, plural, printable } from "../cell.ts"
import { FAILURES_IN_A_ROW_MAX, type WarmResult } from "./warm-run.ts"

/** What came of it, as people read it. */
export function warmText(result: WarmResult, all: number, style: Style): string {
  const seconds = result.elapsedMs / 1000
  const rate = seconds > 0 ? `, ${count(result.asked / seconds)} a second` : ""
  const left = result.asked < all ? style.yellow(`, ${count(all - result.asked)} not asked`) : ""
  const head = `${plural(result.asked, "URL", "URLs")} asked in ${seconds.toFixed(1)} s${rate}; ${octets(result.octets)}${left}\n`
  const misses = result.stored + result.waited + result.uncacheable
  const rows = [
    ["hit", count(result.hit), result.hit > 0 ? "it was there already" : ""],
    ["miss", count(misses), ""],
    ["  stored", count(result.stored), ""],
    ["  waited", count(result.waited), result.waited > 0 ? "for another request that was fetching it" : ""],
    ["  uncacheable", count(result.uncacheable), mostFrequent(result.reasons)],
    ["no cache", count(result.none), result.none > 0 ? "answers without Cache-Status of this proxy: a route without a cache" : ""],
    ["failed", count(result.failed), mostFrequent(result.failures)],
  ]
  const statuses = result.statuses.size === 0 ? "" : `statuses: ${mostFrequent(result.statuses)}\n`
  const failed = result.failedUrls.map(url => `${style.red("failed")} ${printable(url)}\n`).join("")
  const stopped = result.stopped === "nobody answers" ? style.red(`stopped: ${FAILURES_IN_A_ROW_MAX} in a row failed\n`) : ""
  return head + stopped + columns(rows, [false, true, false]) + statuses + failed
}

/** `no-store 40, private 3`. */
function mostFrequent(counts: ReadonlyMap<string | number, number>): string {
  const sorted = [...counts].sort((a, b) => b[1] - a[1])
  return sorted.map(([word, times]) => `${printable(String(word))} ${count(times)}`).join(", ")
}

/** The same for programs. */
export function warmJson(result: WarmResult, all: number): unknown {
  const { statuses, reasons, failures, elapsedMs, ...rest } = result
  return {
    urls: all,
    ...rest,
    statuses: Object.fromEntries(statuses),
    reasons: Object.fromEntries(reasons),
    failures: Object.fromEntries(failures),
    seconds: Math.round(elapsedMs) / 1000,
  }
}
