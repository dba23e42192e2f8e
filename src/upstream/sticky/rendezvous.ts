// HOT
import { hashString, mix32 } from "../../base/index.ts"
import type { Peer } from "../peer.ts"
import type { Tried } from "../tried.ts"

const UNIT = 1 / 0x1_0000_0000

/**
 * Weighted rendezvous hashing: each peer draws a number from the key and its own name, and the highest one wins (Thaler, Ravishankar 1998; weights: -w / ln u).
 * All workers, instances and restarts come to the same answer without asking; a peer that leaves moves its own keys, one that joins takes its share from all.
 */
export class Rendezvous {
  private peers: readonly Peer[] = []
  private seeds = new Uint32Array(0)

  peersChanged(peers: readonly Peer[]): void {
    this.peers = peers
    this.seeds = new Uint32Array(peers.length)
    for (let i = 0; i < peers.length; i++) this.seeds[i] = hashString(peers[i]!.name)
  }

  /** Index of the winner among those that are available and were not tried, -1 = nobody is. */
  select(key: number, tried: Tried): number {
    let best = -1
    let most = 0
    for (let i = 0; i < this.peers.length; i++) {
      const peer = this.peers[i]!
      if (peer.weight === 0 || tried.has(i) || !peer.isAvailable()) continue
      // Between 0 and 1, and neither of them.
      const drawn = ((mix32(key ^ this.seeds[i]!) >>> 0) + 0.5) * UNIT
      const score = -peer.weight / Math.log(drawn)
      if (best >= 0 && score <= most) continue
      best = i
      most = score
    }
    return best
  }
}
