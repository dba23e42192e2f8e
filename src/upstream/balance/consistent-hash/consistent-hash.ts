// HOT
import { z } from "zod"
import { hashString, mix32 } from "../../../base/index.ts"
import { type Balancer, type BalancerKey, type BalancerPeer, defineBalancer, type Tried } from "../../../plugin/index.ts"
import type { HashTable } from "./hash-table.ts"
import { LoadBound } from "./load-bound.ts"
import { MaglevTable } from "./maglev.ts"
import { RingTable } from "./ring.ts"

/** Steps of the walk before all peers are looked at once: reached only when nearly all are out of use. */
const WALK_MAX = 48
const SCORE_SEED = 0x7363_6f72

const options = z
  .strictObject({
    key: z
      .string()
      .regex(
        /^(?:client|path|host|url|(?:header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256})$/,
        "expected client, path, host, url, header:NAME or cookie:NAME",
      )
      .default("client")
      .describe("What is hashed: client (its address), path, host, url (each URL has its parent, as with CARP), header:NAME or cookie:NAME."),
    load: z
      .union([z.number().min(1).max(1_000), z.literal("off")], { error: "expected a number of 1 or more, or off" })
      .default(1.25)
      .describe("Most that a peer may have in flight, as a multiple of its share; what is over goes to the next peer. off = no bound."),
    algorithm: z.enum(["maglev", "ring"]).default("maglev").describe("maglev: even shares; ring: moves the fewest keys when the list changes."),
  })
  .prefault({})

type ConsistentHashOptions = z.output<typeof options>

/** The same key goes to the same peer, while that is up and not overloaded; a change of the list moves few keys. */
class ConsistentHash implements Balancer {
  private peers: readonly BalancerPeer[] = []
  private table: HashTable | null = null
  /** Hash of each peer's name, for the last resort. */
  private seeds = new Uint32Array(0)
  private readonly bound: LoadBound | null
  private readonly ring: boolean

  constructor(settings: ConsistentHashOptions) {
    this.bound = settings.load === "off" ? null : new LoadBound(settings.load)
    this.ring = settings.algorithm === "ring"
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    this.peers = peers
    this.bound?.peersChanged(peers)
    this.seeds = new Uint32Array(peers.length)
    let useful = 0
    for (let index = 0; index < peers.length; index++) {
      this.seeds[index] = hashString(peers[index]!.name, SCORE_SEED)
      if (peers[index]!.weight > 0) useful++
    }
    this.table = useful === 0 ? null : this.ring ? new RingTable(peers) : new MaglevTable(peers)
  }

  select(hash: number, tried: Tried): number {
    const { table, bound } = this
    if (table === null) return -1
    if (bound !== null) bound.refresh()
    let full = -1
    let index = table.start(hash)
    for (let step = 0; step < WALK_MAX; step++) {
      if (this.isUsable(index, tried)) {
        if (bound === null || bound.hasRoom(index)) return index
        if (full === -1) full = index
      }
      index = table.next()
    }
    return this.selectByScore(hash, tried, full)
  }

  /** Rendezvous hashing over all peers: the highest score of key and peer wins. `full` is the first of the walk that only had no room, or -1. */
  private selectByScore(hash: number, tried: Tried, full: number): number {
    let best = -1
    let bestScore = -1
    let last = full
    let lastScore = -1
    for (let index = 0; index < this.peers.length; index++) {
      if (!this.isUsable(index, tried)) continue
      const uniform = (mix32((hash ^ this.seeds[index]!) | 0) + 0.5) / 0x1_0000_0000
      const score = this.peers[index]!.weight / -Math.log(uniform)
      if (score > bestScore && (this.bound === null || this.bound.hasRoom(index))) {
        best = index
        bestScore = score
      }
      if (full === -1 && score > lastScore) {
        last = index
        lastScore = score
      }
    }
    return best !== -1 ? best : last
  }

  private isUsable(index: number, tried: Tried): boolean {
    const peer = this.peers[index]!
    return peer.weight !== 0 && !tried.has(index) && peer.isAvailable()
  }
}

/** `header:NAME` in the form that the cluster reads; header names have no case (RFC 9110 section 5.1), cookie names do. */
function readKey(key: string): BalancerKey {
  const colon = key.indexOf(":")
  if (colon === -1) return { from: key as "client" | "path" | "host" | "url" }
  const name = key.slice(colon + 1)
  return key.startsWith("header:") ? { from: "header", name: name.toLowerCase() } : { from: "cookie", name }
}

export default defineBalancer({
  name: "consistent-hash",
  summary: "The same key to the same peer, with a bound on each peer's load.",
  options,
  key: settings => readKey(settings.key),
  build: settings => new ConsistentHash(settings),
})
