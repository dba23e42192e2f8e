import type { ListedQuota } from "../../quotas/quota-feature.ts"
import { age } from "../age.ts"
import { columns, plural, printable } from "../cache/cell.ts"
import type { Style } from "../terminal.ts"

/** What was used, as people read it. */
export function quotasText(quotas: readonly ListedQuota[], style: Style, now = Date.now()): string {
  if (quotas.length === 0) return "nobody has used anything\n"
  const rows = quotas.map(one => [
    printable(one.key.replaceAll("\0", " ").replaceAll("…", "...")),
    one.quota,
    `${octets(one.bytes)}${one.bytesMax === null ? "" : ` of ${octets(one.bytesMax)}`}`,
    `${one.requests}${one.requestsMax === null ? "" : ` of ${one.requestsMax}`}`,
    `${one.minutes}${one.minutesMax === null ? "" : ` of ${one.minutesMax}`}`,
    one.per,
    age(Math.max(0, one.until - now)),
  ])
  const table = columns([["KEY", "QUOTA", "OCTETS", "REQUESTS", "MINUTES", "PER", "ANEW IN"], ...rows], [false, false, true, true, true, false, true])
  return `${table}${style.dim(`${plural(quotas.length, "key", "keys")}; limits are those of users in no group`)}\n`
}

function octets(bytes: number): string {
  for (const [unit, size] of [
    ["GB", 1024 ** 3],
    ["MB", 1024 ** 2],
    ["KB", 1024],
  ] as const)
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))}${unit}`
  return `${bytes}B`
}
