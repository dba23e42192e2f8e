import type { BalancerPeer } from "../../../plugin/index.ts"

/** Says for each hash in which order the peers are asked. Has a place in its walk, so one selection at a time. */
export interface HashTable {
  /** Index of the peer at home for this hash. */
  start(hash: number): number
  /** Index of the next peer on this hash's walk; may name one again. */
  next(): number
}

/** Indexes of the peers that take requests, by name: the order of the list, which DNS may turn, must not matter. */
export function orderByName(peers: readonly BalancerPeer[]): number[] {
  const indexes: number[] = []
  for (let index = 0; index < peers.length; index++) if (peers[index]!.weight > 0) indexes.push(index)
  return indexes.sort((a, b) => (peers[a]!.name < peers[b]!.name ? -1 : 1))
}

export function heaviest(peers: readonly BalancerPeer[]): number {
  let most = 0
  for (const peer of peers) if (peer.weight > most) most = peer.weight
  return most
}
