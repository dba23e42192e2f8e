import { parseDuration } from "../../base/index.ts"
import { type Ban, clientKey } from "../../filter/index.ts"
import { type AdminAnswer, type AdminFeature, adminJson } from "../admin/admin-feature.ts"
import type { BanZone, BanZones } from "./ban-zones.ts"

const FOR_MS = 600_000
const KEY_CHARACTERS_MAX = 1024

/** A ban with the zone that it is in. */
export interface ListedBan extends Ban {
  readonly zone: string
}

/** Bans of a running instance: what there is, and changes by hand. */
export function banFeature(zones: BanZones): AdminFeature {
  return {
    read: {
      "/bans": query =>
        answering(() => adminJson(200, { bans: chosen(zones, query, false).flatMap(listed), zones: zones.live.map(zone => zone.name) })),
    },
    change: {
      "/bans/add": query => answering(() => add(chosen(zones, query, true)[0]!, query)),
      "/bans/remove": query => answering(() => remove(zones, query)),
    },
  }
}

class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function answering(run: () => AdminAnswer): AdminAnswer {
  try {
    return run()
  } catch (error) {
    if (error instanceof Refusal) return adminJson(error.status, { error: error.message })
    throw error
  }
}

function listed({ name, table }: BanZone): ListedBan[] {
  return table.list(Date.now()).map(ban => ({ zone: name, ...ban }))
}

/** The zones that a request is about: the one that it names, else all; where it must be one, the only one or `default`. */
function chosen({ live }: BanZones, query: URLSearchParams, one: boolean): readonly BanZone[] {
  const name = query.get("zone")
  if (live.length === 0) throw new Refusal(404, "there are no bans: no route of the config has a filter `ban`")
  const names = live.map(zone => zone.name).join(", ")
  if (name === null) {
    if (!one) return live
    const only = live.length === 1 ? live[0] : live.find(zone => zone.name === "default")
    if (only === undefined) throw new Refusal(400, `zone: expected one of ${names}`)
    return [only]
  }
  const found = live.filter(zone => zone.name === name)
  if (found.length === 0) throw new Refusal(404, `there is no zone ${JSON.stringify(name)} of bans; there is ${names}`)
  return found
}

function keyOf(zone: BanZone, query: URLSearchParams): string {
  const given = query.get("key") ?? ""
  if (given === "" || given.length > KEY_CHARACTERS_MAX) throw new Refusal(400, "key: expected who it is about, such as 192.0.2.7")
  if (!zone.keys.includes("client")) return given
  const address = clientKey(given.replace(/\/64$/, ""))
  if (zone.keys.length === 1 && !/^[0-9a-f.:]+(?:\/64)?$/i.test(address))
    throw new Refusal(
      400,
      `key: zone ${zone.name} bans clients; expected one address, such as 192.0.2.7 or 2001:db8::1, got ${JSON.stringify(given)}`,
    )
  return address
}

function add(zone: BanZone, query: URLSearchParams): AdminAnswer {
  const given = query.get("for")
  const forMs = given === null ? FOR_MS : parseDuration(given)
  if (forMs === null || forMs < 1000) throw new Refusal(400, "for: expected a duration of a second or more, such as 10m")
  const key = keyOf(zone, query)
  const until = zone.table.ban(key, { forMs, factor: 1, forMsMax: forMs, forgetMs: 0 }, Date.now(), query.get("reason") ?? "by hand")
  return adminJson(200, { ok: true, zone: zone.name, key, until })
}

function remove(zones: BanZones, query: URLSearchParams): AdminAnswer {
  const all = query.get("all") === "true"
  const now = Date.now()
  let removed = 0
  for (const zone of chosen(zones, query, false)) {
    if (all) removed += zone.table.removeAll(now)
    else if (zone.table.remove(keyOf(zone, query), now)) removed++
  }
  if (removed === 0 && !all) throw new Refusal(404, `${JSON.stringify(query.get("key"))} is not banned`)
  return adminJson(200, { ok: true, removed })
}
