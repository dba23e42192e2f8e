// HOT
import { z } from "zod"
import { type Balancer, type BalancerPeer, defineBalancer, type Tried } from "../../../plugin/index.ts"
import { WeightedDraw } from "../weighted-draw.ts"

/** Any peer, with a chance in proportion to its weight. */
class RandomBalancer implements Balancer {
  private readonly lots: WeightedDraw

  constructor(random: () => number) {
    this.lots = new WeightedDraw(random)
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    this.lots.peersChanged(peers)
  }

  select(_hash: number, tried: Tried): number {
    return this.lots.draw(tried, -1)
  }
}

export default defineBalancer({
  name: "random",
  summary: "Any peer, with a chance in proportion to its weight.",
  options: z.strictObject({}).prefault({}),
  build: (_options, random) => new RandomBalancer(random),
})
