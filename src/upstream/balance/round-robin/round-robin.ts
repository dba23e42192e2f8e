// HOT
import { z } from "zod"
import { type Balancer, type BalancerPeer, defineBalancer, type Tried } from "../../../plugin/index.ts"
import { carryCredits, totalWeight } from "../carry-credits.ts"
import { hasEvenWeights } from "../even-weights.ts"

/**
 * Takes peers in turn. With unequal weights: the smooth weighted round-robin that nginx documents: in each round every eligible peer gains
 * its weight, the richest is chosen and pays the round's total, so weights 5, 1, 1 give a a b a c a a and no bursts.
 */
class RoundRobin implements Balancer {
  private peers: readonly BalancerPeer[] = []
  private credits = new Float64Array(0)
  /** Sum of the weights that the credits are of. */
  private total = 0
  private even = true
  /** Where the next turn starts: a random place, so that workers do not march in step. */
  private cursor = 0
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    const before = this.peers
    const total = totalWeight(peers)
    this.peers = peers
    this.credits = carryCredits(before, this.credits, peers, total / (this.total === 0 ? 1 : this.total))
    this.total = total
    this.even = hasEvenWeights(peers)
    this.cursor = peers.length === 0 ? 0 : Math.floor(this.random() * peers.length)
  }

  select(_hash: number, tried: Tried): number {
    return this.even ? this.selectNext(tried) : this.selectRichest(tried)
  }

  private selectNext(tried: Tried): number {
    const peers = this.peers
    let index = this.cursor
    for (let step = 0; step < peers.length; step++) {
      const at = index
      if (++index === peers.length) index = 0
      const peer = peers[at]!
      if (peer.weight === 0 || tried.has(at) || !peer.isAvailable()) continue
      this.cursor = index
      return at
    }
    return -1
  }

  private selectRichest(tried: Tried): number {
    const { peers, credits } = this
    let total = 0
    let richest = -1
    let index = this.cursor
    for (let step = 0; step < peers.length; step++) {
      const at = index
      if (++index === peers.length) index = 0
      const peer = peers[at]!
      if (peer.weight === 0 || tried.has(at) || !peer.isAvailable()) continue
      total += peer.weight
      credits[at]! += peer.weight
      if (richest === -1 || credits[at]! > credits[richest]!) richest = at
    }
    if (richest !== -1) credits[richest]! -= total
    return richest
  }
}

export default defineBalancer({
  name: "round-robin",
  summary: "Each peer in turn, in proportion to the weights, without bursts.",
  options: z.strictObject({}).prefault({}),
  build: (_options, random) => new RoundRobin(random),
})
