// HOT
import { hashString, mix32 } from "../../../base/index.ts"
import type { BalancerPeer } from "../../../plugin/index.ts"
import { type HashTable, heaviest, orderByName } from "./hash-table.ts"

const POINTS_PER_WEIGHT = 160
/** Points of the heaviest peer: weights like 100 and 200 need no more than 1 and 2. */
const POINTS_PER_PEER_MAX = 1_600
const POINTS_MAX = 262_144
const PLACE_SEED = 0x7269_6e67
const STRIDE_SEED = 0x706f_696e

/**
 * Ring of points (Karger et al. 1997, with the many points a peer of ketama). A peer that leaves moves its own keys and no others.
 * Shares are less even than maglev's: about 8 % from the weight at 160 points.
 */
export class RingTable implements HashTable {
  /** Points in order, and who owns each. */
  private readonly points: Uint32Array
  private readonly owners: Uint16Array
  private at = 0

  constructor(peers: readonly BalancerPeer[]) {
    const order = orderByName(peers)
    const keyed = placePoints(peers, order, pointsPerWeight(peers, order)).sort()
    this.points = new Uint32Array(keyed.length)
    this.owners = new Uint16Array(keyed.length)
    for (let index = 0; index < keyed.length; index++) {
      this.points[index] = Math.floor(keyed[index]! / 0x1_0000)
      this.owners[index] = order[keyed[index]! % 0x1_0000]!
    }
  }

  /** The first point at or after the hash. */
  start(hash: number): number {
    let low = 0
    let high = this.points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.points[middle]! < hash) low = middle + 1
      else high = middle
    }
    this.at = low === this.points.length ? 0 : low
    return this.owners[this.at]!
  }

  next(): number {
    if (++this.at === this.points.length) this.at = 0
    return this.owners[this.at]!
  }
}

/** Scaled down in steps of two, so that a new peer of another weight seldom changes how many points the others have. */
function pointsPerWeight(peers: readonly BalancerPeer[], order: readonly number[]): number {
  let perWeight = POINTS_PER_WEIGHT
  while (perWeight * heaviest(peers) > POINTS_PER_PEER_MAX) perWeight /= 2
  while (pointCount(peers, order, perWeight) > POINTS_MAX && perWeight > 1 / 0x1_0000) perWeight /= 2
  return perWeight
}

function pointCount(peers: readonly BalancerPeer[], order: readonly number[], perWeight: number): number {
  let count = 0
  for (const index of order) count += pointsOf(peers[index]!, perWeight)
  return count
}

function pointsOf(peer: BalancerPeer, perWeight: number): number {
  return Math.max(1, Math.round(peer.weight * perWeight))
}

/** Each point with the rank of its owner in the 16 bits below, so that one sort of numbers orders both. */
function placePoints(peers: readonly BalancerPeer[], order: readonly number[], perWeight: number): Float64Array {
  const keyed = new Float64Array(pointCount(peers, order, perWeight))
  let filled = 0
  for (let rank = 0; rank < order.length; rank++) {
    const peer = peers[order[rank]!]!
    const place = hashString(peer.name, PLACE_SEED)
    const stride = hashString(peer.name, STRIDE_SEED) | 1
    const count = pointsOf(peer, perWeight)
    for (let point = 0; point < count; point++) keyed[filled++] = mix32((place + Math.imul(point, stride)) | 0) * 0x1_0000 + rank
  }
  return keyed
}
