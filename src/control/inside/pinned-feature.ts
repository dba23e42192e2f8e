import { type Config, pinnedMemory, type PinnedSite, PinnedSites } from "../../config/index.ts"
import { type AdminAnswer, type AdminFeature, adminJson } from "../admin/admin-feature.ts"
import type { Zones } from "../shared-zones.ts"

/** A site that is not opened, with the listener whose clients do not take our certificate for it. */
export interface ListedPin extends PinnedSite {
  readonly listener: string
}

/** What the control thread reads and forgets of the sites that listeners do not open. */
export class PinnedDirectory {
  readonly #zones: Zones
  #live: readonly { readonly listener: string; readonly sites: PinnedSites }[] = []

  constructor(zones: Zones) {
    this.#zones = zones
  }

  follow(config: Config): void {
    this.#live = Object.entries(config.listeners).flatMap(([listener, { forward }]) => {
      const rules = forward?.inspect?.pinned ?? null
      const memory = rules === null ? undefined : this.#zones.get(pinnedMemory(listener, rules).key)
      return rules === null || memory === undefined ? [] : [{ listener, sites: new PinnedSites(memory, rules) }]
    })
  }

  list(): ListedPin[] {
    const now = Date.now()
    return this.#live.flatMap(({ listener, sites }) => sites.list(now).map(site => ({ listener, ...site })))
  }

  remove(host: string, client: string): number {
    const now = Date.now()
    return this.#live.reduce((sum, { sites }) => sum + sites.remove(host, client, now), 0)
  }
}

/** `GET /inspect/pinned` and `POST /inspect/pinned/remove?host=…` (or `all=true`), `client=…` for one client's alone. */
export function pinnedFeature(directory: PinnedDirectory): AdminFeature {
  return {
    read: { "/inspect/pinned": () => adminJson(200, { pinned: directory.list() }) },
    change: { "/inspect/pinned/remove": query => remove(directory, query) },
  }
}

function remove(directory: PinnedDirectory, query: URLSearchParams): AdminAnswer {
  const all = query.get("all") === "true"
  const host = (query.get("host") ?? "").toLowerCase()
  if (all === (host !== "")) return adminJson(400, { error: "expected host, such as app.example, or all=true" })
  const removed = directory.remove(host, query.get("client") ?? "")
  if (removed === 0 && !all) return adminJson(404, { error: `${JSON.stringify(host)} is not among the sites that are not opened` })
  return adminJson(200, { ok: true, removed })
}
