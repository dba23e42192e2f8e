import type { ExtraSample } from "../observe/index.ts"
import { type GuardFacts, guardFacts, type PeerStates } from "../upstream/index.ts"
import type { Config } from "../config/index.ts"
import type { BreakerEntry, ClusterEntry, PeerEntry, ResilienceEntry } from "./admin/status.ts"

/** What a cluster's entry has to say of what protects it. `breakers`: its peers have breakers of their own. */
export type ResilienceSaid = Pick<ClusterEntry, "retryBudget" | "resilience"> & { readonly breakers: boolean }

type ClusterConfig = Config["clusters"][string]

/** Of a cluster of the live config. `slot` is its own in the shared states. */
export function sayResilience(cluster: ClusterConfig | undefined, states: PeerStates, slot: number): ResilienceSaid {
  if (cluster === undefined || slot < 0) return { retryBudget: { requests: 0, retries: 0, share: 0 }, resilience: null, breakers: false }
  const facts = guardFacts(states, slot)
  const { breaker } = cluster.resilience
  return {
    retryBudget: { ...facts.budget, share: cluster.retry.budget },
    resilience: hasAny(cluster) ? entryOf(cluster, facts) : null,
    breakers: breaker?.peer != null && breaker.peer.failureShare !== null,
  }
}

function hasAny({ resilience, health }: ClusterConfig): boolean {
  const { breaker, queue, adaptive, hedge, shed, panicBelow } = resilience
  const { passive } = health
  const compares = passive !== null && [passive.successRate, passive.failureShare, passive.latency].some(rule => rule !== null)
  return compares || panicBelow > 0 || [breaker, queue, adaptive, hedge, shed].some(part => part !== null)
}

function entryOf({ resilience }: ClusterConfig, facts: GuardFacts): ResilienceEntry {
  const { breaker, queue, adaptive, panicBelow } = resilience
  const { inFlight, pending, retries, queued, unanswered } = facts
  const length = Object.values(queued).reduce((sum, count) => sum + count, 0)
  return {
    inFlight,
    pending,
    retries,
    requestsMax: breaker?.requestsMax ?? 0,
    breaker: breaker === null || breaker.failureShare === null ? null : facts.breaker,
    queue: queue === null ? null : { length, lengthMax: queue.lengthMax, waiting: queued },
    adaptive:
      adaptive === null
        ? null
        : { limit: Math.max(adaptive.min, facts.adaptiveLimit || adaptive.start), unanswered, baselineMs: Math.round(facts.baselineMs * 10) / 10 },
    panic: panicBelow > 0 && facts.panic,
  }
}

/** The samples of one cluster. */
export function resilienceSamples(cluster: ClusterEntry): ExtraSample[] {
  const { resilience, name } = cluster
  const labels = { cluster: name }
  const peers = cluster.peers.flatMap(peer => peerBreakers(peer, name))
  if (resilience === null) return peers
  const { breaker, queue, adaptive } = resilience
  return [
    gauge("bothways_cluster_in_flight", "Requests that have a place in the cluster.", resilience.inFlight, labels),
    gauge("bothways_cluster_pending", "Requests of the cluster that have no connection yet.", resilience.pending, labels),
    gauge("bothways_cluster_panic", "1 while too few peers are available and all of them get requests.", resilience.panic ? 1 : 0, labels),
    ...(breaker === null ? [] : breakerSamples("cluster", breaker, labels)),
    ...(queue === null ? [] : [gauge("bothways_cluster_queued", "Requests that wait in front of the cluster.", queue.length, labels)]),
    ...(adaptive === null
      ? []
      : [gauge("bothways_cluster_adaptive_limit", "Requests without an answer that the cluster may have now.", adaptive.limit, labels)]),
    ...peers,
  ]
}

function peerBreakers({ name, breaker }: PeerEntry, cluster: string): ExtraSample[] {
  return breaker === null ? [] : breakerSamples("peer", breaker, { cluster, peer: name })
}

function breakerSamples(of: "cluster" | "peer", { state, opened }: BreakerEntry, labels: Readonly<Record<string, string>>): ExtraSample[] {
  const value = state === "closed" ? 0 : state === "half-open" ? 1 : 2
  return [
    gauge(`bothways_${of}_breaker_state`, "0 = the breaker is closed, 1 = it tries whether it may close, 2 = it is open.", value, labels),
    { ...gauge(`bothways_${of}_breaker_opened_total`, "How often the breaker has opened.", opened, labels), kind: "counter" },
  ]
}

function gauge(metric: string, help: string, value: number, labels: Readonly<Record<string, string>>): ExtraSample {
  return { metric, kind: "gauge", help, value, labels }
}
