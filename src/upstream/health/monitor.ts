import type { Clock, Random } from "../../base/index.ts"
import type { HealthCheckDefinition, HealthTarget } from "../../plugin/index.ts"
import { HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP, type Health, type PeerStates } from "../peer-states.ts"
import type { Timers } from "../timers.ts"

/** How the peers of one cluster are probed. Times in milliseconds. */
export interface HealthPlan {
  readonly check: HealthCheckDefinition<unknown>
  /** Options of the check, parsed. */
  readonly options: unknown
  /** From the start of one probe to the start of the next. Default 5 s. */
  readonly every: number
  /** Default 2 s. */
  readonly timeout: number
  /** Successes in a row that bring a peer up. Default 2. */
  readonly rise: number
  /** Failures in a row that take a peer down. Default 3. */
  readonly fall: number
  /** Share of `every` by which probes are spread. Default 0.1. */
  readonly jitter: number
}

export interface HealthPeer {
  /** Stable name: `address:port`. */
  readonly name: string
  readonly slot: number
  readonly target: HealthTarget
}

/** One change of one peer's health; told once. */
export interface HealthChange {
  readonly cluster: string
  readonly peer: string
  readonly from: Health
  readonly to: Health
  /** Why the last probe failed; null when it did not. */
  readonly reason: string | null
}

export interface HealthMonitorDeps {
  readonly states: PeerStates
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly onChange: (change: HealthChange) => void
  /** Probes under way at the same time, over all clusters. Default 64. */
  readonly probesMax?: number
}

interface Watch {
  readonly cluster: string
  readonly peer: HealthPeer
  readonly plan: HealthPlan
  readonly key: string
  /** Probes in a row with the same result: above 0 successes, below 0 failures. */
  streak: number
  startedAt: number
  stopped: boolean
  cancel: () => void
}

/**
 * Probes the peers of all clusters and writes what it finds into the shared states. Lives in the control thread.
 * A peer of which nothing is known counts as available until `fall` probes have failed. The first probe starts at once; a peer that an
 * update of the list does not touch keeps its schedule and its streak.
 * While no peer of a cluster is up, and once a lost peer has answered again, probes come `rise` times as often: recovery is noticed within `every`.
 */
export class HealthMonitor {
  private readonly deps: HealthMonitorDeps
  private readonly probesMax: number
  private readonly clusters = new Map<string, Map<string, Watch>>()
  private readonly waiting: Watch[] = []
  private running = 0

  constructor(deps: HealthMonitorDeps) {
    this.deps = deps
    this.probesMax = deps.probesMax ?? 64
  }

  /** The whole list of a cluster's peers; `plan` null = they are not probed and count as available. */
  watch(cluster: string, peers: readonly HealthPeer[], plan: HealthPlan | null): void {
    const before = this.clusters.get(cluster) ?? new Map<string, Watch>()
    const after = new Map<string, Watch>()
    const fresh: Watch[] = []
    for (const peer of plan === null ? [] : peers) {
      const key = watchKey(peer, plan!)
      const known = before.get(peer.name)
      const watch = known?.key === key ? known : this.newWatch(cluster, peer, plan!, key)
      if (watch !== known) fresh.push(watch)
      after.set(peer.name, watch)
    }
    for (const [name, watch] of before) if (after.get(name) !== watch) stop(watch)
    if (plan === null) for (const peer of peers) if (before.has(peer.name)) this.deps.states.setHealth(peer.slot, HEALTH_UNKNOWN)
    if (after.size === 0) this.clusters.delete(cluster)
    else this.clusters.set(cluster, after)
    for (const watch of fresh) this.begin(watch)
  }

  /** Ends all probes. What is under way is no longer listened to. */
  stop(): void {
    for (const watches of this.clusters.values()) for (const watch of watches.values()) stop(watch)
    this.clusters.clear()
    this.waiting.length = 0
  }

  private newWatch(cluster: string, peer: HealthPeer, plan: HealthPlan, key: string): Watch {
    return { cluster, peer, plan, key, streak: 0, startedAt: 0, stopped: false, cancel: () => {} }
  }

  private begin(watch: Watch): void {
    if (watch.stopped) return
    if (this.running >= this.probesMax) {
      this.waiting.push(watch)
      return
    }
    this.running++
    watch.startedAt = this.deps.clock.now()
    void this.probe(watch)
  }

  private async probe(watch: Watch): Promise<void> {
    const { check, options, timeout } = watch.plan
    let reason: string | null
    try {
      reason = await check.probe(watch.peer.target, options, timeout)
    } catch (error) {
      // Against the contract; a check that throws must not end the watch.
      reason = `the check itself failed: ${error instanceof Error ? error.message : String(error)}`
    }
    this.running--
    while (this.running < this.probesMax && this.waiting.length > 0) this.begin(this.waiting.shift()!)
    if (watch.stopped) return
    this.record(watch, reason)
    this.schedule(watch)
  }

  private record(watch: Watch, reason: string | null): void {
    const ok = reason === null
    watch.streak = ok ? Math.max(1, watch.streak + 1) : Math.min(-1, watch.streak - 1)
    const from = this.deps.states.health(watch.peer.slot)
    const to = nextHealth(from, watch)
    if (to === from) return
    this.deps.states.setHealth(watch.peer.slot, to)
    // Whatever real requests met before: a peer that came up starts clean.
    if (to === HEALTH_UP) this.deps.states.restore(watch.peer.slot)
    this.deps.onChange({ cluster: watch.cluster, peer: watch.peer.name, from, to, reason })
  }

  private schedule(watch: Watch): void {
    const { every, rise, jitter } = watch.plan
    const down = this.deps.states.health(watch.peer.slot) === HEALTH_DOWN
    const interval = down && (watch.streak > 0 || this.isAllDown(watch.cluster)) ? every / rise : every
    const due = watch.startedAt + this.deps.random.jitter(interval, jitter)
    watch.cancel = this.deps.timers.after(Math.max(0, due - this.deps.clock.now()), () => this.begin(watch))
  }

  private isAllDown(cluster: string): boolean {
    for (const watch of this.clusters.get(cluster)?.values() ?? []) {
      if (this.deps.states.health(watch.peer.slot) !== HEALTH_DOWN) return false
    }
    return true
  }
}

/** A first success is enough for a peer of which nothing was known: it was available anyway. */
function nextHealth(from: Health, watch: Watch): Health {
  if (watch.streak <= -watch.plan.fall) return HEALTH_DOWN
  if (watch.streak >= (from === HEALTH_UNKNOWN ? 1 : watch.plan.rise)) return HEALTH_UP
  return from
}

function stop(watch: Watch): void {
  watch.stopped = true
  watch.cancel()
}

/** Equal for a peer that is probed in the same way as before. */
function watchKey(peer: HealthPeer, plan: HealthPlan): string {
  const { check, ...schedule } = plan
  return JSON.stringify([peer.slot, peer.target, check.name, schedule])
}
