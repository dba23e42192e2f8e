import type { BalancerPeer } from "../../plugin/index.ts"

/** Whether all peers weigh the same, those of weight 0 aside: taking turns then needs no credits. */
export function hasEvenWeights(peers: readonly BalancerPeer[]): boolean {
  let first = 0
  for (const peer of peers) {
    if (peer.weight === 0) continue
    if (first === 0) first = peer.weight
    else if (peer.weight !== first) return false
  }
  return true
}
