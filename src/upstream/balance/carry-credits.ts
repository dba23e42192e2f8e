import type { BalancerPeer } from "../../plugin/index.ts"

export function totalWeight(peers: readonly BalancerPeer[]): number {
  let total = 0
  for (const peer of peers) total += peer.weight
  return total
}

/**
 * What each peer has saved up in a weighted round-robin, for another list or other weights; `scale` is the new total of the weights over the old one.
 * To begin anew at each change would pass over whoever weighs little as long as changes come faster than its turns do.
 */
export function carryCredits(
  before: readonly BalancerPeer[],
  credits: Float64Array,
  next: readonly BalancerPeer[],
  scale: number,
): Float64Array<ArrayBuffer> {
  const carried = new Float64Array(next.length)
  if (before.length === 0) return carried
  const places = new Map(before.map((peer, index) => [peer.name, index]))
  for (const [index, peer] of next.entries()) carried[index] = (credits[places.get(peer.name) ?? -1] ?? 0) * scale
  return carried
}
