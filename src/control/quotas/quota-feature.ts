import { type AdminAnswer, type AdminFeature, adminJson } from "../admin/admin-feature.ts"
import type { LiveQuota, QuotaKeeper } from "./quota-keeper.ts"

/** What a key has used, and what it might: limits are those of users in no group. */
export interface ListedQuota {
  readonly key: string
  readonly quota: string
  readonly per: string
  readonly bytes: number
  readonly requests: number
  readonly minutes: number
  readonly bytesMax: number | null
  readonly requestsMax: number | null
  readonly minutesMax: number | null
  /** When it begins anew, milliseconds since 1970. */
  readonly until: number
}

/** Quotas of a running instance: what was used, and one that begins anew. */
export function quotaFeature(keeper: QuotaKeeper): AdminFeature {
  return {
    read: { "/quotas": query => list(keeper, query) },
    change: { "/quotas/reset": query => reset(keeper, query) },
  }
}

function list(keeper: QuotaKeeper, query: URLSearchParams): AdminAnswer {
  const chosen = chosenOf(keeper, query)
  if (!Array.isArray(chosen)) return chosen as AdminAnswer
  const key = query.get("key")
  const quotas = chosen.flatMap(listed).filter(one => key === null || one.key === key)
  return adminJson(200, { quotas, names: keeper.live.map(({ name }) => name) })
}

function reset(keeper: QuotaKeeper, query: URLSearchParams): AdminAnswer {
  const chosen = chosenOf(keeper, query)
  if (!Array.isArray(chosen)) return chosen as AdminAnswer
  const key = query.get("key") ?? ""
  if (key === "") return adminJson(400, { error: "key: expected who is to begin anew, such as a user's name" })
  const found = chosen.filter(({ table }) => table.reset(key))
  if (found.length === 0) return adminJson(404, { error: `${JSON.stringify(key)} has used nothing` })
  return adminJson(200, { ok: true, key, quotas: found.map(({ name }) => name) })
}

function chosenOf({ live }: QuotaKeeper, query: URLSearchParams): readonly LiveQuota[] | AdminAnswer {
  const name = query.get("quota")
  if (live.length === 0) return adminJson(404, { error: "there are no quotas: no route of the config has a filter `quota`" })
  if (name === null) return live
  const found = live.filter(quota => quota.name === name)
  if (found.length > 0) return found
  return adminJson(404, { error: `there is no quota ${JSON.stringify(name)}; there is ${live.map(quota => quota.name).join(", ")}` })
}

function listed({ name, options, table, zone }: LiveQuota): ListedQuota[] {
  const now = Date.now()
  const until = zone.periodEnd(options.per, now)
  const limits = {
    bytesMax: options.bytes,
    requestsMax: options.requests,
    minutesMax: options.time === null ? null : Math.floor(options.time / 60_000),
  }
  return table
    .list(zone.periodNumber(options.per, now))
    .map(({ key, bytes, requests, minutes }) => ({ key, quota: name, per: options.per, bytes, requests, minutes, ...limits, until }))
}
