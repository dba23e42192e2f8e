import { formatDuration, ipFamily } from "../../base/index.ts"
import type { ConfigPath, Finding } from "../problem.ts"
import type { ClusterConfig } from "../schema.ts"
import { clustersOf, error, type Subject, warning } from "./subject.ts"

/** Limits, queues and breakers that contradict each other, or do nothing. What a preset wrote is not the operator's mistake. */
export function checkResilience(subject: Subject): Finding[] {
  const clusters = Object.entries(subject.config.clusters)
  return [...clusters.flatMap(([name, cluster]) => checkCluster(["clusters", name], cluster)), ...checkPriorities(subject)]
}

function checkCluster(at: ConfigPath, cluster: ClusterConfig): Finding[] {
  const inside = [...at, "resilience"]
  return [
    ...checkBreaker(inside, cluster),
    ...checkAdaptive(inside, cluster),
    ...checkQueue(inside, cluster),
    ...checkHedge(inside, cluster),
    ...checkComparisons([...at, "health", "passive"], cluster),
  ]
}

function checkBreaker(at: ConfigPath, { resilience: { breaker } }: ClusterConfig): Finding[] {
  if (breaker === null) return []
  const findings: Finding[] = []
  const { peer } = breaker
  const zero = "with a share of 0 it opens though nothing fails; off is what never opens"
  if (breaker.failureShare === 0) findings.push(error([...at, "breaker", "failureShare"], zero))
  if (peer?.failureShare === 0) findings.push(error([...at, "breaker", "peer", "failureShare"], zero))
  if (peer !== null && breaker.requestsMax > 0 && peer.requestsMax > breaker.requestsMax)
    findings.push(warning([...at, "breaker", "peer", "requestsMax"], "more than the cluster's requestsMax, so it is never reached"))
  return findings
}

function checkAdaptive(at: ConfigPath, { resilience: { adaptive } }: ClusterConfig): Finding[] {
  if (adaptive === null) return []
  const { min, max, start } = adaptive
  if (min > max) return [error([...at, "adaptive", "min"], "min is more than max")]
  return start < min || start > max ? [error([...at, "adaptive", "start"], `start lies outside of min and max, ${min} to ${max}`)] : []
}

function checkQueue(at: ConfigPath, { resilience, timeouts }: ClusterConfig): Finding[] {
  const { queue, breaker, adaptive, preset } = resilience
  if (queue === null || preset === "careful") return []
  const isLimited = adaptive !== null || (breaker !== null && (breaker.requestsMax > 0 || (breaker.peer !== null && breaker.peer.requestsMax > 0)))
  if (!isLimited) return [warning([...at, "queue"], "nothing ever waits here: the cluster has neither a requestsMax nor an adaptive limit")]
  if (timeouts.request === 0 || queue.timeout < timeouts.request) return []
  return [warning([...at, "queue", "timeout"], `requests may wait for all of their time, timeouts.request is ${formatDuration(timeouts.request)}`)]
}

function checkHedge(at: ConfigPath, { resilience: { hedge, preset }, timeouts, peers }: ClusterConfig): Finding[] {
  if (hedge === null || preset === "careful") return []
  if (hedge.after.ms >= timeouts.head)
    return [warning([...at, "hedge", "after"], "a second attempt would go out after the first one's timeouts.head")]
  return isFixed(peers) && peers.length === 1 ? [warning([...at, "hedge"], "there is no other peer for a second attempt")] : []
}

function checkComparisons(at: ConfigPath, { health: { passive }, peers, resilience }: ClusterConfig): Finding[] {
  if (passive === null || resilience.preset === "careful" || !isFixed(peers)) return []
  return (["successRate", "failureShare", "latency"] as const).flatMap(rule => {
    const hostsMin = passive[rule]?.hostsMin ?? 0
    return hostsMin > peers.length ? [warning([...at, rule], `peers are never compared: hostsMin is ${hostsMin}, and there are ${peers.length}`)] : []
  })
}

/** A name may resolve to any number of peers. */
function isFixed(peers: ClusterConfig["peers"]): boolean {
  return peers.every(({ host, path }) => path !== "" || ipFamily(host) !== 0)
}

function checkPriorities({ config, routeIndex }: Subject): Finding[] {
  return config.routes.flatMap((route, i) => {
    if (route.priority.header === "" && route.priority.default === "normal") return []
    const clusters = clustersOf(route).map(({ name }) => config.clusters[name])
    const matters = clusters.some(cluster => cluster === undefined || cluster.resilience.queue !== null || cluster.resilience.shed !== null)
    if (matters) return []
    return [warning(["routes", routeIndex[i]!, "priority"], "it changes nothing: where the route sends to there is neither a queue nor shedding")]
  })
}
