// HOT
import type { BalancerPeer, Tried } from "../../plugin/index.ts"

/** Draws that may hit a peer which cannot be used before the peers are looked through one by one. */
const DRAWS_MAX = 8

/** Draws peers at random in proportion to their weights, among those that can be used. O(log peers) while most can, O(peers) else. */
export class WeightedDraw {
  private peers: readonly BalancerPeer[] = []
  /** Running sums of the weights: peer i owns the numbers from sums[i - 1] up to sums[i]. */
  private sums = new Float64Array(0)
  private total = 0
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    this.peers = peers
    this.sums = new Float64Array(peers.length)
    this.total = 0
    for (let index = 0; index < peers.length; index++) {
      this.total += peers[index]!.weight
      this.sums[index] = this.total
    }
  }

  /** Index of a peer other than `except` (-1 for none), or -1. Throwing away what cannot be used leaves the others' shares as the weights say. */
  draw(tried: Tried, except: number): number {
    if (this.total === 0) return -1
    for (let attempt = 0; attempt < DRAWS_MAX; attempt++) {
      const index = this.owner(this.random() * this.total)
      if (this.isUsable(index, tried, except)) return index
    }
    return this.drawAmongUsable(tried, except)
  }

  /** First index whose sum is over `point`. */
  private owner(point: number): number {
    let low = 0
    let high = this.sums.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.sums[middle]! > point) high = middle
      else low = middle + 1
    }
    return low
  }

  /** One pass: each usable peer takes the place of the one before with a chance of its weight over the sum so far. */
  private drawAmongUsable(tried: Tried, except: number): number {
    let chosen = -1
    let sum = 0
    for (let index = 0; index < this.peers.length; index++) {
      if (!this.isUsable(index, tried, except)) continue
      const { weight } = this.peers[index]!
      sum += weight
      if (chosen === -1 || this.random() * sum < weight) chosen = index
    }
    return chosen
  }

  private isUsable(index: number, tried: Tried, except: number): boolean {
    const peer = this.peers[index]!
    return index !== except && peer.weight !== 0 && !tried.has(index) && peer.isAvailable()
  }
}
