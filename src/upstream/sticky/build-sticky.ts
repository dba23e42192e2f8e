import { hashString } from "../../base/index.ts"
import type { Time } from "../../http/index.ts"
import { type CookieStickyOptions, CookieSticky } from "./cookie-sticky.ts"
import { HomeTable } from "./home-table.ts"
import { LearnedSticky } from "./learned-sticky.ts"
import type { CookieConfig, StickyConfig } from "./sticky-options.ts"
import type { Sticky } from "./sticky.ts"

export interface StickyParts {
  readonly cluster: string
  readonly time: Time
  /** Key of the values where the config gives none. */
  readonly secret: Uint8Array
  /** Memory of all workers, by key. */
  readonly shared: (key: string, bytes: number) => SharedArrayBuffer
}

const sameSites = { lax: "Lax", strict: "Strict", none: "None" } as const

/** How a cluster keeps clients with their peers. */
export function buildSticky(config: StickyConfig, parts: StickyParts): Sticky {
  const { cluster, time } = parts
  if (config.name === "cookie")
    return new CookieSticky(cookieOptions(config.options, cluster), { cluster, time, secret: config.options.secret ?? parts.secret })
  const { key, bytes } = stickyMemory(cluster, config)!
  const table = new HomeTable(parts.shared(key, bytes), config.options.ttl)
  return new LearnedSticky({ header: config.name === "header" ? config.options.name.toLowerCase() : "", table, time })
}

/** The memory of all workers that it needs, null = none. Another kind or size begins with an empty one. */
export function stickyMemory(cluster: string, config: StickyConfig): { readonly key: string; readonly bytes: number } | null {
  if (config.name === "cookie") return null
  const { ttl, entriesMax } = config.options
  const by = config.name === "header" ? config.options.name.toLowerCase() : ""
  return { key: `clusters/${cluster}/sticky/${by}/${ttl}`, bytes: HomeTable.octets(entriesMax) }
}

export function cookieName(config: CookieConfig, cluster: string): string {
  return config.name ?? `bw-${hashString(cluster).toString(16).padStart(8, "0")}`
}

function cookieOptions(config: CookieConfig, cluster: string): CookieStickyOptions {
  const { ttl, path, domain, sameSite, secure, httpOnly, keep } = config
  return {
    name: cookieName(config, cluster),
    ttlMs: ttl ?? 0,
    path,
    domain: domain ?? "",
    sameSite: sameSites[sameSite],
    secure: secure === "auto" ? null : secure,
    httpOnly,
    keep,
  }
}
