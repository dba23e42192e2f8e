import type { ListedBan } from "../../bans/ban-feature.ts"
import { age } from "../age.ts"
import { columns, plural, printable } from "../cache/cell.ts"
import type { Style } from "../terminal.ts"

/** Bans as people read them. */
export function bansText(bans: readonly ListedBan[], style: Style, now = Date.now()): string {
  if (bans.length === 0) return "nobody is banned\n"
  const rows = bans.map(({ key, zone, since, until, offences, reason }) => [
    printable(key.replaceAll("\0", " ").replaceAll("…", "...")),
    zone,
    age(Math.max(0, now - since)),
    age(Math.max(0, until - now)),
    String(offences),
    printable(reason.replaceAll("…", "...")),
  ])
  const table = columns([["KEY", "ZONE", "SINCE", "LEFT", "TIMES", "WHY"], ...rows], [false, false, true, true, true, false])
  return `${table}${style.dim(plural(bans.length, "ban", "bans"))}\n`
}
