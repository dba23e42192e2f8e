// HOT
import { z } from "zod"
import { type Balancer, type BalancerPeer, defineBalancer, type Tried } from "../../../plugin/index.ts"
import { carryCredits, totalWeight } from "../carry-credits.ts"
import { hasEvenWeights } from "../even-weights.ts"

const NOT_USABLE = -1

/**
 * The peer with the fewest requests in flight for its weight, over all workers. Peers that tie, as all do when the cluster is idle, take turns:
 * strict turns for equal weights, the smooth weighted round-robin of round-robin/ for unequal ones.
 */
class LeastRequests implements Balancer {
  private peers: readonly BalancerPeer[] = []
  /** In-flight counts as this selection saw them: other workers change them while we look. */
  private loads = new Int32Array(0)
  private credits = new Float64Array(0)
  /** Sum of the weights that the credits are of. */
  private total = 0
  private even = true
  private cursor = 0
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    const before = this.peers
    const total = totalWeight(peers)
    this.peers = peers
    this.loads = new Int32Array(peers.length)
    this.credits = carryCredits(before, this.credits, peers, total / (this.total === 0 ? 1 : this.total))
    this.total = total
    this.even = hasEvenWeights(peers)
    this.cursor = peers.length === 0 ? 0 : Math.floor(this.random() * peers.length)
  }

  select(_hash: number, tried: Tried): number {
    return this.even ? this.selectEven(tried) : this.selectWeighted(tried)
  }

  /** From the place after the last choice, so that the first of several that tie is the one whose turn it is. */
  private selectEven(tried: Tried): number {
    const peers = this.peers
    let least = -1
    let leastLoad = 0
    let index = this.cursor
    for (let step = 0; step < peers.length; step++) {
      const at = index
      if (++index === peers.length) index = 0
      const peer = peers[at]!
      if (peer.weight === 0 || tried.has(at) || !peer.isAvailable()) continue
      const load = peer.inFlight()
      if (least !== -1 && load >= leastLoad) continue
      least = at
      leastLoad = load
      if (load === 0) break
    }
    if (least !== -1) this.cursor = least + 1 === peers.length ? 0 : least + 1
    return least
  }

  private selectWeighted(tried: Tried): number {
    const { peers, loads } = this
    let least = -1
    for (let at = 0; at < peers.length; at++) {
      const peer = peers[at]!
      if (peer.weight === 0 || tried.has(at) || !peer.isAvailable()) {
        loads[at] = NOT_USABLE
        continue
      }
      loads[at] = peer.inFlight()
      // a/b < c/d without the division
      if (least === -1 || loads[at]! * peers[least]!.weight < loads[least]! * peer.weight) least = at
    }
    return least === -1 ? -1 : this.takeTurn(least)
  }

  /** One round of smooth weighted round-robin among the peers that are as little busy as `least`. */
  private takeTurn(least: number): number {
    const { peers, loads, credits } = this
    const load = loads[least]!
    const { weight } = peers[least]!
    let total = 0
    let richest = -1
    for (let at = least; at < peers.length; at++) {
      const peer = peers[at]!
      if (loads[at] === NOT_USABLE || loads[at]! * weight !== load * peer.weight) continue
      total += peer.weight
      credits[at]! += peer.weight
      if (richest === -1 || credits[at]! > credits[richest]!) richest = at
    }
    credits[richest]! -= total
    return richest
  }
}

export default defineBalancer({
  name: "least-requests",
  summary: "The peer with the fewest requests in flight for its weight, exact over all workers.",
  options: z.strictObject({}).prefault({}),
  build: (_options, random) => new LeastRequests(random),
})
