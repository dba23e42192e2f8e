import { parseDuration } from "../../base/index.ts"
import { PeerRefusal, type RunTimePeers } from "../peers/run-time-peers.ts"
import { type AdminAnswer, type AdminFeature, type AdminHandler, adminJson } from "./admin-feature.ts"

/** How long a drain waits unless it is told. */
const DRAIN_MS = 30_000
const DRAIN_MS_MAX = 86_400_000
const WEIGHT_MAX = 65_535

/** Peers of a running instance: what is there, and changes without a reload. */
export function peerFeature(peers: RunTimePeers): AdminFeature {
  const changing =
    (run: (cluster: string, address: string, query: URLSearchParams) => Promise<void>): AdminHandler =>
    query =>
      answering(async () => {
        const cluster = demanded(query, "cluster")
        await run(cluster, demanded(query, "address"), query)
        return done(peers, cluster)
      })
  return {
    read: {
      "/peers": query => answering(async () => adminJson(200, { clusters: peers.view(query.get("cluster")), kept: peers.notKept === "" })),
    },
    change: {
      "/peers/add": changing((cluster, address, query) => peers.add(cluster, address, { weight: weightOf(query, 1), backup: flag(query, "backup") })),
      "/peers/weight": changing((cluster, address, query) => peers.weight(cluster, address, weightOf(query, null))),
      "/peers/drain": changing((cluster, address, query) =>
        peers.drain(cluster, address, {
          timeoutMs: durationOf(query, "timeout") ?? DRAIN_MS,
          sessions: flag(query, "sessions"),
          force: flag(query, "force"),
        }),
      ),
      "/peers/ready": changing((cluster, address) => peers.ready(cluster, address)),
      "/peers/remove": changing((cluster, address, query) => {
        const timeoutMs = durationOf(query, "drain")
        const drain = timeoutMs === null ? null : { timeoutMs, sessions: flag(query, "sessions") }
        return peers.remove(cluster, address, { drain, force: flag(query, "force") })
      }),
      "/peers/reset": query =>
        answering(async () => {
          const cluster = demanded(query, "cluster")
          await peers.reset(cluster)
          return done(peers, cluster)
        }),
    },
  }
}

async function answering(run: () => Promise<AdminAnswer>): Promise<AdminAnswer> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof PeerRefusal) return adminJson(error.status, { error: error.message })
    throw error
  }
}

function done(peers: RunTimePeers, cluster: string): AdminAnswer {
  const { notKept } = peers
  const view = peers.view(cluster)
  return adminJson(200, { ok: true, clusters: view, kept: notKept === "", ...(notKept === "" ? {} : { notKept }) })
}

function demanded(query: URLSearchParams, name: string): string {
  const value = query.get(name) ?? ""
  if (value === "") throw new PeerRefusal(400, `${name}: it is missing`)
  return value
}

function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name) ?? "false"
  if (value !== "true" && value !== "false") throw new PeerRefusal(400, `${name}: expected true or false`)
  return value === "true"
}

function weightOf(query: URLSearchParams, fallback: number | null): number {
  const value = query.get("weight")
  if (value === null && fallback !== null) return fallback
  if (value === null || !/^\d{1,5}$/.test(value) || Number(value) > WEIGHT_MAX)
    throw new PeerRefusal(400, `weight: expected a whole number from 0 to ${WEIGHT_MAX}`)
  return Number(value)
}

function durationOf(query: URLSearchParams, name: string): number | null {
  const value = query.get(name)
  if (value === null) return null
  const ms = parseDuration(value)
  if (ms === null || ms > DRAIN_MS_MAX) throw new PeerRefusal(400, `${name}: expected a duration such as 30s, at most 24h`)
  return ms
}
