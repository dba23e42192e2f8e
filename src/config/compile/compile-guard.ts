import type { Time } from "../../http/index.ts"
import {
  type BreakerRules,
  type Ejection,
  FineWheel,
  Guard,
  type GuardMeter,
  type GuardOptions,
  LoopDelay,
  type Priority,
  priorityWords,
} from "../../upstream/index.ts"
import type { ClusterConfig, RouteConfig } from "../schema.ts"
import type { BreakerConfig } from "../schema/resilience.ts"
import type { CompileDeps } from "./compile-deps.ts"

/** null = normal, whatever the request says. */
export function priorityOf({ header, default: word }: RouteConfig["priority"]): Priority | null {
  return header === "" && word === "normal" ? null : { header, class: priorityWords.indexOf(word) as Priority["class"] }
}

/** What a thread has once for the guards of all its snapshots. */
interface Thread {
  readonly fine: FineWheel
  readonly loopDelay: LoopDelay
}

const threads = new WeakMap<Time, Thread>()

function threadOf(time: Time): Thread {
  let thread = threads.get(time)
  if (thread === undefined) {
    thread = { fine: new FineWheel(time.clock), loopDelay: new LoopDelay(time.clock) }
    threads.set(time, thread)
  }
  return thread
}

/** The guard of a cluster; null where nothing of it is configured, so that its requests pass nothing. */
export function compileGuard(
  name: string,
  settings: ClusterConfig,
  deps: CompileDeps,
  beside: { readonly ejection: Ejection | null; readonly meter: GuardMeter | null },
): Guard | null {
  const options = guardOptions(settings)
  if (isEmpty(options)) return null
  return new Guard({ name, options, states: deps.states, slot: deps.clusterSlots[name] ?? 0, time: deps.time, ...threadOf(deps.time), ...beside })
}

function guardOptions({ resilience, health }: ClusterConfig): GuardOptions {
  const { breaker, queue, adaptive, hedge, shed, panicBelow } = resilience
  const { passive } = health
  return {
    breaker: breaker === null ? null : rulesOf(breaker),
    peer: breaker === null || breaker.peer === null ? null : rulesOf(breaker.peer),
    queue: queue === null ? null : { lengthMax: queue.lengthMax, timeoutMs: queue.timeout, lowShareMax: queue.lowShareMax },
    adaptive: adaptive === null ? null : { ...adaptive, windowMs: adaptive.window, probeMs: adaptive.probe },
    hedge: hedge === null ? null : { afterMs: hedge.after.ms, quantile: hedge.after.quantile, afterMinMs: hedge.afterMin, shareMax: hedge.shareMax },
    shed: shed === null ? null : { loopDelayMaxMs: shed.loopDelayMax },
    panicBelow,
    outlier: passive === null ? null : outlierOf(passive),
  }
}

function outlierOf({
  counts,
  interval,
  successRate,
  failureShare,
  latency,
}: NonNullable<ClusterConfig["health"]["passive"]>): GuardOptions["outlier"] {
  if (successRate === null && failureShare === null && latency === null) return null
  return { counts, intervalMs: interval, successRate, failureShare, latency: latency === null ? null : { ...latency, floorMs: latency.floor } }
}

function rulesOf(config: BreakerConfig): BreakerRules {
  const { requestsMax, pendingMax, retriesMax, counts, failureShare, window, requestsMin, open, trials } = config
  const failures = failureShare === null ? null : { failureShare, windowMs: window, requestsMin, openMs: open, trials }
  return { requestsMax, pendingMax, retriesMax, counts, failures }
}

function isEmpty({ breaker, queue, adaptive, hedge, shed, panicBelow, outlier }: GuardOptions): boolean {
  return panicBelow === 0 && [breaker, queue, adaptive, hedge, shed, outlier].every(part => part === null)
}
