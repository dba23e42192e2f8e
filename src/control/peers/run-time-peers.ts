import type { Log } from "../../base/index.ts"
import { endpointSchema, type PeerConfig } from "../../config/index.ts"
import { endpointName, HEALTH_DOWN, HEALTH_UP, type PeerStates, startShare } from "../../upstream/index.ts"
import type { ResolvedPeer } from "../protocol.ts"
import type { Drain, DrainOptions, Drains } from "./drains.ts"
import * as change from "./peer-changes.ts"
import type { PeerDirectory } from "./peer-directory.ts"

/** A peer as `bothways peers list` shows it. */
export interface PeerView {
  readonly name: string
  /** Name that it comes from, "" when it was given as an address. */
  readonly host: string
  /** Who named it. */
  readonly from: "config" | "run time"
  readonly weight: number
  readonly backup: boolean
  readonly state: "up" | "down" | "ejected" | "draining" | "drained"
  readonly health: "up" | "down" | "unknown"
  /** Share of its weight that it has so far, by slow start; 1 = all of it. */
  readonly share: number
  readonly inFlight: number
  readonly requests: number
  readonly drain: Omit<Drain, "cluster" | "peer" | "slot" | "state"> | null
}

export interface ClusterView {
  readonly peers: readonly PeerView[]
  /** What is different from the config. */
  readonly changed: readonly string[]
}

/** Why something cannot be done; the status is the admin API's. */
export class PeerRefusal extends Error {
  override name = "PeerRefusal"
  readonly status: 400 | 404 | 409 | 422

  constructor(status: PeerRefusal["status"], message: string) {
    super(message)
    this.status = status
  }
}

export interface RunTimePeersParts {
  readonly directory: PeerDirectory
  readonly drains: Drains
  readonly states: PeerStates
  readonly log: Log
}

/** Changes peers while the proxy runs. One change at a time: each begins with what the one before has left. */
export class RunTimePeers {
  readonly #parts: RunTimePeersParts
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: RunTimePeersParts) {
    this.#parts = parts
  }

  /** Why changes are not kept over a restart, "" = they are. */
  get notKept(): string {
    return this.#parts.directory.notKept
  }

  /** One cluster, or all (null). */
  view(cluster: string | null): Record<string, ClusterView> {
    const names = cluster === null ? Object.keys(this.#parts.directory.current) : [this.#known(cluster)]
    return Object.fromEntries(names.map(name => [name, this.#viewOf(name)]))
  }

  add(cluster: string, address: string, { weight, backup }: { weight: number; backup: boolean }): Promise<void> {
    return this.#inTurn(cluster, address, async target => {
      const { changes, ofConfig, spec } = target
      const isThere = target.peers.length > 0 || (ofConfig !== undefined && !changes.removed.includes(target.address))
      if (isThere) throw new PeerRefusal(409, `${target.address} is in ${cluster} already`)
      if (ofConfig !== undefined && ofConfig.backup !== backup)
        throw new PeerRefusal(409, `${target.address} ${ofConfig.backup ? "is a backup" : "is no backup"} in the config`)
      await this.#change(target, change.withAdded(changes, { ...spec, weight, backup }, ofConfig), "added")
    })
  }

  weight(cluster: string, address: string, weight: number): Promise<void> {
    return this.#inTurn(cluster, address, async target => {
      this.#demandPeers(target)
      const { changes, ofConfig } = target
      const isConfigs = ofConfig !== undefined && ofConfig.weight === weight
      const next = isConfigs ? change.withoutWeight(changes, target.address) : change.withWeight(changes, target.address, weight)
      await this.#change(target, next, `weight ${weight}`)
    })
  }

  drain(cluster: string, address: string, options: DrainOptions & { force: boolean }): Promise<void> {
    return this.#inTurn(cluster, address, async target => {
      this.#demandPeers(target)
      this.#demandOthers(target, options.force)
      this.#begin(target, options)
      await this.#change(target, change.withDrained(target.changes, target.address, true), "drained")
    })
  }

  ready(cluster: string, address: string): Promise<void> {
    return this.#inTurn(cluster, address, async target => {
      this.#demandPeers(target)
      for (const { slot } of target.peers) this.#parts.drains.forget(slot)
      let next = change.withDrained(target.changes, target.address, false)
      // Drained one by one, or by their name: all of them are meant.
      for (const peer of target.peers) for (const each of change.addressesOf(peer)) next = change.withDrained(next, each, false)
      await this.#change(target, next, "takes requests again")
    })
  }

  /** With a drain the peer goes when it is over, which this does not wait for. */
  remove(cluster: string, address: string, { drain, force }: { drain: DrainOptions | null; force: boolean }): Promise<void> {
    return this.#inTurn(cluster, address, async target => {
      this.#demandPeers(target)
      this.#demandOthers(target, force)
      if (drain === null) return this.#change(target, change.withRemoved(target.changes, target.address), "removed")
      await this.#change(target, change.withDrained(target.changes, target.address, true), "removed when drained")
      let left = target.peers.length
      this.#begin(target, drain, () => {
        if (--left === 0) void this.remove(cluster, address, { drain: null, force: true }).catch((error: unknown) => this.#lost(target, error))
      })
    })
  }

  /** Back to what the config says. */
  reset(cluster: string): Promise<void> {
    return this.#inTurn(cluster, null, async target => {
      for (const { slot } of this.#parts.directory.current[cluster]!) this.#parts.drains.forget(slot)
      await this.#change(target, change.NO_CHANGES, "reset")
    })
  }

  #begin({ cluster, peers }: Target, options: DrainOptions, done?: () => void): void {
    for (const peer of peers) this.#parts.drains.begin({ cluster, peer: endpointName(peer), slot: peer.slot }, options, done)
  }

  async #change({ cluster, address, changes }: Target, next: change.PeerChanges, what: string): Promise<void> {
    if (JSON.stringify(next) === JSON.stringify(changes)) return
    const before = this.#parts.directory.current[cluster] ?? []
    const trouble = await this.#parts.directory.change(cluster, next)
    if (trouble !== "") throw new PeerRefusal(422, trouble)
    const after = this.#parts.directory.current[cluster] ?? []
    for (const { slot } of before) if (!after.some(peer => peer.slot === slot)) this.#parts.drains.forget(slot)
    this.#parts.log.info("peers were changed at run time", { cluster, peer: address, change: what, differs: change.describeChanges(next) })
  }

  #lost({ cluster, address }: Target, error: unknown): void {
    this.#parts.log.error("a drained peer was not removed", { cluster, peer: address, error: String(error) })
  }

  #inTurn(cluster: string, address: string | null, run: (target: Target) => Promise<void>): Promise<void> {
    const turn = this.#last.then(() => run(this.#target(cluster, address)))
    this.#last = turn.catch(() => {})
    return turn
  }

  #target(cluster: string, given: string | null): Target {
    const name = this.#known(cluster)
    const changes = this.#parts.directory.changesOf(name)
    if (given === null) return { cluster, address: "", spec: null as never, changes, ofConfig: undefined, peers: [] }
    const read = endpointSchema.safeParse(given)
    if (!read.success) throw new PeerRefusal(400, `address: ${read.error.issues[0]!.message}`)
    const spec = { ...read.data, weight: 1, backup: false }
    const address = change.addressOf(spec)
    const ofConfig = this.#parts.directory.config!.clusters[name]!.peers.find(peer => change.addressOf(peer) === address)
    const peers = (this.#parts.directory.current[name] ?? []).filter(peer => change.addressesOf(peer).includes(address))
    return { cluster: name, address, spec, changes, ofConfig, peers }
  }

  #known(cluster: string): string {
    const names = Object.keys(this.#parts.directory.current)
    if (names.includes(cluster)) return cluster
    throw new PeerRefusal(404, `there is no cluster ${JSON.stringify(cluster)}; there is ${names.join(", ") || "none"}`)
  }

  #demandPeers({ cluster, address, peers }: Target): void {
    if (peers.length > 0) return
    const names = (this.#parts.directory.current[cluster] ?? []).map(endpointName)
    throw new PeerRefusal(404, `${address} is no peer of ${cluster}; there is ${names.join(", ") || "none"}`)
  }

  /** Nobody means to take the last one out. */
  #demandOthers({ cluster, address, peers }: Target, force: boolean): void {
    const { states, directory } = this.#parts
    const takes = (peer: ResolvedPeer): boolean => peer.weight > 0 && !states.isDraining(peer.slot) && states.health(peer.slot) !== HEALTH_DOWN
    if (force || !peers.some(takes)) return
    if ((directory.current[cluster] ?? []).some(peer => !peers.includes(peer) && takes(peer))) return
    throw new PeerRefusal(409, `${address} is the last peer of ${cluster} that takes requests; force=true (--force) does it all the same`)
  }

  #viewOf(cluster: string): ClusterView {
    const changes = this.#parts.directory.changesOf(cluster)
    const slowStart = this.#parts.directory.config!.clusters[cluster]!.slowStart
    const shareOf = ({ slot }: ResolvedPeer) => (slowStart === null ? 1 : startShare(this.#parts.states, slot, slowStart))
    const peers = (this.#parts.directory.current[cluster] ?? []).map(peer => ({ ...this.#peerView(peer, changes), share: shareOf(peer) }))
    return { peers, changed: change.describeChanges(changes) }
  }

  #peerView(peer: ResolvedPeer, { added }: change.PeerChanges): Omit<PeerView, "share"> {
    const { states, drains } = this.#parts
    const { slot, weight, backup } = peer
    const health = states.health(slot)
    const drain = drains.of(slot)
    const isAdded = added.some(each => change.addressesOf(peer).includes(change.addressOf(each)))
    return {
      name: endpointName(peer),
      host: peer.host === peer.address ? "" : peer.host,
      from: isAdded ? "run time" : "config",
      weight,
      backup,
      state: states.isDraining(slot) ? (drain?.state ?? "drained") : health === HEALTH_DOWN ? "down" : states.isEjected(slot) ? "ejected" : "up",
      health: health === HEALTH_UP ? "up" : health === HEALTH_DOWN ? "down" : "unknown",
      inFlight: states.inFlight(slot),
      requests: states.requestsTotal(slot),
      drain: drain === undefined ? null : { startedAt: drain.startedAt, until: drain.until, sessions: drain.sessions, cut: drain.cut },
    }
  }
}

/** What a word at run time is about. */
interface Target {
  readonly cluster: string
  /** In the form that changes are kept in. */
  readonly address: string
  readonly spec: PeerConfig
  readonly changes: change.PeerChanges
  /** The config's own entry. */
  readonly ofConfig: PeerConfig | undefined
  /** Its endpoints now. */
  readonly peers: readonly ResolvedPeer[]
}
