// HOT
import type { BalancerPeer } from "../../../plugin/index.ts"

/** Peers whose load is read anew for each question: the sum is exact up to this many peers, and a few requests old beyond. */
const READ_PER_QUESTION = 16

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018): no peer gets more than `factor` times its share of all
 * requests in flight, rounded up. Keys beyond that go on to the next peer of their walk, so one hot key cannot drown one peer.
 */
export class LoadBound {
  private peers: readonly BalancerPeer[] = []
  private loads = new Int32Array(0)
  /** Weight of each available peer, 0 for the others. */
  private weights = new Float64Array(0)
  private totalLoad = 0
  private totalWeight = 0
  private cursor = 0
  private readonly factor: number

  /** `factor` is 1 or more: below, not all requests would have a place. */
  constructor(factor: number) {
    this.factor = factor
  }

  peersChanged(peers: readonly BalancerPeer[]): void {
    this.peers = peers
    this.loads = new Int32Array(peers.length)
    this.weights = new Float64Array(peers.length)
    this.totalLoad = 0
    this.totalWeight = 0
    this.cursor = 0
    this.read(peers.length)
  }

  /** Once before the questions of one selection. */
  refresh(): void {
    this.read(this.peers.length < READ_PER_QUESTION ? this.peers.length : READ_PER_QUESTION)
  }

  /** Whether this available peer may take one more request. */
  hasRoom(index: number): boolean {
    const peer = this.peers[index]!
    const load = peer.inFlight()
    // Everybody's share is at least one.
    if (load === 0) return true
    return load < Math.ceil((this.factor * (this.totalLoad + 1) * peer.weight) / (this.totalWeight > peer.weight ? this.totalWeight : peer.weight))
  }

  private read(count: number): void {
    for (let step = 0; step < count; step++) {
      const at = this.cursor
      this.cursor = at + 1 === this.peers.length ? 0 : at + 1
      const peer = this.peers[at]!
      const available = peer.weight > 0 && peer.isAvailable()
      const load = available ? peer.inFlight() : 0
      const weight = available ? peer.weight : 0
      this.totalLoad += load - this.loads[at]!
      this.totalWeight += weight - this.weights[at]!
      this.loads[at] = load
      this.weights[at] = weight
    }
  }
}
