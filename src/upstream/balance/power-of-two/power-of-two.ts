// HOT
import { z } from "zod"
import { type Balancer, type BalancerPeer, defineBalancer, type Tried } from "../../../plugin/index.ts"
import { WeightedDraw } from "../weighted-draw.ts"

/**
 * Draws two different peers by weight and takes the one with fewer requests in flight for its weight (Mitzenmacher, "The Power of Two Choices").
 * Nearly as even as asking all peers, at a cost that does not grow with their number, and workers do not all run to the same idle peer.
 */
class PowerOfTwo implements Balancer {
  private peers: readonly BalancerPeer[] = []
  private readonly lots: WeightedDraw

  constructor(random: () => number) {
    this.lots = new WeightedDraw(random)
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    this.peers = peers
    this.lots.peersChanged(peers)
  }

  select(_hash: number, tried: Tried): number {
    const first = this.lots.draw(tried, -1)
    if (first === -1) return -1
    const a = this.peers[first]!
    const load = a.inFlight()
    // Nothing can be less busy; and with the first kept on a tie, idle peers are chosen by weight alone.
    if (load === 0) return first
    const second = this.lots.draw(tried, first)
    if (second === -1) return first
    const b = this.peers[second]!
    return b.inFlight() * a.weight < load * b.weight ? second : first
  }
}

export default defineBalancer({
  name: "power-of-two",
  summary: "Of two peers drawn by weight, the one with fewer requests in flight.",
  options: z.strictObject({}).prefault({}),
  build: (_options, random) => new PowerOfTwo(random),
})
