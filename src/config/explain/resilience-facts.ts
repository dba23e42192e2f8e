import { formatDuration } from "../../base/index.ts"
import type { ClusterConfig } from "../schema.ts"

/** What protects a cluster, one line each; none where the config has nothing of it. */
export function resilienceFacts({ resilience, health }: ClusterConfig): string[] {
  const { breaker, queue, adaptive, hedge, shed, panicBelow, preset } = resilience
  const lines: string[] = []
  if (breaker !== null) lines.push(...breakerLines("breaker", breaker))
  if (breaker?.peer != null) lines.push(...breakerLines("breaker of each peer", breaker.peer))
  if (adaptive !== null) lines.push(`adaptive limit: ${adaptive.min} to ${adaptive.max} requests without an answer`)
  if (queue !== null) lines.push(`queue: ${queue.lengthMax} requests for up to ${formatDuration(queue.timeout)}, by priority`)
  if (hedge !== null) lines.push(`second attempt: after ${afterText(hedge.after)}, for up to ${percent(hedge.shareMax)} of the requests`)
  if (shed !== null) lines.push(`shedding: low priority from ${formatDuration(shed.loopDelayMax)} of delay in the worker`)
  if (panicBelow > 0) lines.push(`panic: all peers get requests when fewer than ${percent(panicBelow)} are available`)
  const { passive } = health
  const rules = passive === null ? [] : (["successRate", "failureShare", "latency"] as const).filter(rule => passive[rule] !== null)
  if (rules.length > 0) lines.push(`peers are compared by ${rules.join(", ")} every ${formatDuration(passive!.interval)}`)
  return preset === "none" ? lines : [`resilience: ${preset}`, ...lines]
}

function breakerLines(what: string, breaker: NonNullable<NonNullable<ClusterConfig["resilience"]["breaker"]>["peer"]>): string[] {
  const { requestsMax, pendingMax, retriesMax, failureShare, window, requestsMin, open } = breaker
  const limits = Object.entries({ requestsMax, pendingMax, retriesMax }).flatMap(([name, value]) => (value > 0 ? [`${name} ${value}`] : []))
  const opens =
    failureShare === null
      ? []
      : [`opens for ${formatDuration(open)} when ${percent(failureShare)} of ${requestsMin} or more fail in ${formatDuration(window)}`]
  const parts = [...limits, ...opens]
  return parts.length === 0 ? [] : [`${what}: ${parts.join(", ")}`]
}

function afterText({ ms, quantile }: { ms: number; quantile: number }): string {
  return quantile === 0 ? formatDuration(ms) : `p${Number((quantile * 100).toFixed(2))} of the answers' times`
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))}%`
}
