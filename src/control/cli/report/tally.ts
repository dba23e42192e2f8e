import { siteOf } from "../../../base/index.ts"
import type { LogRecord } from "./log-record.ts"

/** What a report adds up for each user, site, hour … */
export interface Sums {
  requests: number
  /** Requests that a rule blocked, or that were refused (401, 403, 407, 429, 451). */
  blocked: number
  /** Requests that failed: 5xx, or a fault behind the head. */
  failed: number
  /** Requests that the cache answered. */
  cached: number
  sent: number
  received: number
  /** Octets that the cache answered with. */
  saved: number
  durationMs: number
}

export type Dimension = "user" | "group" | "client" | "site" | "host" | "category" | "rule" | "exit" | "route" | "status" | "hour" | "day" | "weekday"

/** Groups of one dimension that are kept; what comes later goes to `(others)`, so that a log of random names cannot fill memory. */
export const GROUPS_MAX = 100_000
export const OTHERS = "(others)"

const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

/** Reads a record for each dimension. "" = it has none. Hours and days are those of the machine's zone. */
export const dimensions: Readonly<Record<Dimension, (record: LogRecord) => string>> = {
  user: record => record.user,
  group: record => record.groups,
  client: record => record.client,
  site: record => siteOf(record.host),
  host: record => record.host,
  category: record => record.category,
  rule: record => record.rule,
  exit: record => record.exit,
  route: record => record.route,
  status: record => String(record.status),
  hour: record => at(record, time => `${two(time.getHours())}:00`),
  day: record => at(record, time => `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`),
  weekday: record => at(record, time => weekdays[time.getDay()]!),
}

function at({ timeMs }: LogRecord, of: (time: Date) => string): string {
  return Number.isNaN(timeMs) ? "" : of(new Date(timeMs))
}

function two(value: number): string {
  return String(value).padStart(2, "0")
}

export function noSums(): Sums {
  return { requests: 0, blocked: 0, failed: 0, cached: 0, sent: 0, received: 0, saved: 0, durationMs: 0 }
}

const refusals: ReadonlySet<number> = new Set([401, 403, 407, 429, 451])
const fromCache: ReadonlySet<string> = new Set(["hit", "stale", "revalidated", "coalesced"])

function add(sums: Sums, record: LogRecord): void {
  sums.requests++
  if (record.action === "block" || refusals.has(record.status)) sums.blocked++
  else if (record.status >= 500 || (record.fault !== "" && record.status < 400)) sums.failed++
  if (fromCache.has(record.cache)) {
    sums.cached++
    sums.saved += record.received
  }
  sums.sent += record.sent
  sums.received += record.received
  sums.durationMs += record.durationMs
}

/** Adds records up, all together and by each dimension that is asked for. */
export class Tally {
  readonly all = noSums()
  readonly by: ReadonlyMap<Dimension, Map<string, Sums>>
  firstMs = Infinity
  lastMs = -Infinity

  constructor(wanted: readonly Dimension[]) {
    this.by = new Map(wanted.map(dimension => [dimension, new Map<string, Sums>()]))
  }

  add(record: LogRecord): void {
    add(this.all, record)
    if (record.timeMs < this.firstMs) this.firstMs = record.timeMs
    if (record.timeMs > this.lastMs) this.lastMs = record.timeMs
    for (const [dimension, groups] of this.by) {
      const key = dimensions[dimension](record)
      if (key !== "") add(groupOf(groups, key), record)
    }
  }

  /** Groups of a dimension: hours, days and weekdays in their order, others with the largest first, by octets or by requests. */
  sorted(dimension: Dimension, by: "octets" | "requests" = "octets"): readonly (readonly [key: string, sums: Sums])[] {
    const groups = [...(this.by.get(dimension) ?? [])]
    if (dimension === "weekday") return groups.sort(([a], [b]) => weekdays.indexOf(a) - weekdays.indexOf(b))
    if (dimension === "hour" || dimension === "day") return groups.sort(([a], [b]) => (a < b ? -1 : 1))
    const octets = (sums: Sums): number => (by === "octets" ? sums.received + sums.sent : 0)
    return groups.sort(([, a], [, b]) => octets(b) - octets(a) || b.requests - a.requests)
  }
}

function groupOf(groups: Map<string, Sums>, key: string): Sums {
  let sums = groups.get(key)
  if (sums !== undefined) return sums
  const name = groups.size < GROUPS_MAX ? key : OTHERS
  sums = groups.get(name) ?? noSums()
  groups.set(name, sums)
  return sums
}
