import { formatAddress } from "../base/index.ts"
import { breakerFacts, ejectionWords, HEALTH_DOWN, HEALTH_UP, type PeerStates } from "../upstream/index.ts"
import { endpointName } from "../upstream/index.ts"
import type { Config } from "../config/index.ts"
import type { CertificateEntry, ClusterEntry, ConfigStatus, ListenerEntry, PeerEntry, Status, WorkerEntry } from "./admin/status.ts"
import type { ResilienceSaid } from "./resilience-status.ts"
import type { PeersByCluster, ResolvedPeer, WorkerInspection } from "./protocol.ts"
import type { ReloadRecord } from "./reload.ts"
import { version } from "./version.ts"
import type { WorkerStatus } from "./workers/worker-pool.ts"

export interface StatusFacts {
  readonly instanceId: string
  readonly startedAt: number
  readonly draining: boolean
  readonly config: Config
  readonly configVersion: number
  readonly source: string
  readonly committedAt: number
  readonly last: ReloadRecord | null
  readonly workers: readonly WorkerStatus[]
  readonly inspections: readonly (WorkerInspection | null)[]
  readonly clusters: readonly ClusterEntry[]
  readonly certificates: readonly CertificateEntry[]
}

export function statusOf(facts: StatusFacts): Status {
  const workers = facts.workers.map((worker, i): WorkerEntry => workerEntry(worker, facts.inspections[i] ?? null))
  const serving = workers.filter(worker => worker.state === "live").length
  const state = facts.draining ? "draining" : facts.configVersion === 0 ? "starting" : serving === workers.length ? "ready" : "degraded"
  return {
    name: "bothways",
    version,
    pid: process.pid,
    instance: facts.instanceId,
    state,
    startedAt: new Date(facts.startedAt).toISOString(),
    uptimeMs: Date.now() - facts.startedAt,
    rssBytes: process.memoryUsage.rss(),
    config: configStatus(facts),
    workers,
    listeners: listenerEntries(facts.config, facts.inspections),
    clusters: facts.clusters,
    certificates: facts.certificates,
    connections: sum(workers.map(worker => worker.connections)),
    exchanges: sum(workers.map(worker => worker.exchanges)),
  }
}

function workerEntry(worker: WorkerStatus, detail: WorkerInspection | null): WorkerEntry {
  const { version: configVersion, ...rest } = worker
  return { ...rest, configVersion, detail }
}

function configStatus({ configVersion, source, committedAt, last }: StatusFacts): ConfigStatus {
  return {
    version: configVersion,
    source,
    committedAt: committedAt === 0 ? "" : new Date(committedAt).toISOString(),
    lastReload: last && {
      trigger: last.trigger,
      at: new Date(last.at).toISOString(),
      tookMs: last.tookMs,
      ok: last.outcome.ok,
      problems: last.outcome.ok ? [] : last.outcome.problems,
    },
  }
}

function listenerEntries(config: Config, inspections: readonly (WorkerInspection | null)[]): ListenerEntry[] {
  return Object.entries(config.listeners).map(([name, listener]) => ({
    name,
    bind: listener.bind.map(formatAddress),
    tls: listener.tls !== null,
    forward: listener.forward !== null,
    connections: sum(inspections.map(inspection => inspection?.connections[name] ?? 0)),
  }))
}

/** What the shared states say of each cluster's peers. */
export function clusterEntries(
  peers: PeersByCluster,
  states: PeerStates,
  said: (cluster: string) => Pick<ClusterEntry, "unresolved" | "changed"> & ResilienceSaid,
): ClusterEntry[] {
  return Object.entries(peers).map(([name, list]) => {
    const { breakers, ...rest } = said(name)
    const entries = list.map(peer => peerEntry(peer, states, breakers))
    return { name, available: entries.filter(entry => entry.available).length, ...rest, peers: entries }
  })
}

function peerEntry(peer: ResolvedPeer, states: PeerStates, breakers: boolean): PeerEntry {
  const { slot } = peer
  const health = states.health(slot)
  return {
    name: endpointName(peer),
    host: peer.host,
    weight: peer.weight,
    backup: peer.backup,
    health: health === HEALTH_UP ? "up" : health === HEALTH_DOWN ? "down" : "unknown",
    available: states.isAvailable(slot),
    draining: states.isDraining(slot),
    ejectedForMs: states.isEjected(slot) ? Math.max(0, states.ejectedUntil(slot) - states.now()) * 100 : 0,
    ejectedBy: ejectionWords(states, slot),
    breaker: breakers ? breakerFacts(states, slot) : null,
    inFlight: states.inFlight(slot),
    requests: states.requestsTotal(slot),
    failures: states.failuresTotal(slot),
    ejections: states.ejectionsTotal(slot),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
