// HOT
import { hashString, mix32 } from "../../../base/index.ts"
import type { BalancerPeer } from "../../../plugin/index.ts"
import { type HashTable, heaviest, orderByName } from "./hash-table.ts"

/** Prime, so that every stride goes round the whole table. 65 entries a peer at 1,000 peers; the same for every size, so growth moves few keys. */
const ENTRIES = 65_537
const SCALE = ENTRIES / 0x1_0000_0000
const EMPTY = 0xffff
const OFFSET_SEED = 0x6d61_676c
const STRIDE_SEED = 0x6576_3031

/**
 * The look-up table of Maglev (Eisenbud et al., NSDI 2016, section 3.4): each peer has its own order of all entries and the peers take
 * entries in turns, heavier ones more often. Shares are even to the entry; a peer that leaves moves its own keys and a few percent of others.
 */
export class MaglevTable implements HashTable {
  private readonly owners = new Uint16Array(ENTRIES).fill(EMPTY)
  private at = 0
  private stride = 1

  constructor(peers: readonly BalancerPeer[]) {
    const order = orderByName(peers)
    if (order.length > 0) fill(this.owners, peers, order)
  }

  start(hash: number): number {
    this.at = Math.floor(hash * SCALE)
    this.stride = 1 + Math.floor(mix32(hash) * ((ENTRIES - 1) / 0x1_0000_0000))
    return this.owners[this.at]!
  }

  /** Each key walks in its own stride: the keys of a lost peer spread over all others. */
  next(): number {
    const at = this.at + this.stride
    this.at = at >= ENTRIES ? at - ENTRIES : at
    return this.owners[this.at]!
  }
}

function fill(owners: Uint16Array, peers: readonly BalancerPeer[], order: readonly number[]): void {
  const count = order.length
  const places = new Int32Array(count)
  const strides = new Int32Array(count)
  const credits = new Float64Array(count)
  const gains = new Float64Array(count)
  const most = heaviest(peers)
  for (let turn = 0; turn < count; turn++) {
    const peer = peers[order[turn]!]!
    places[turn] = hashString(peer.name, OFFSET_SEED) % ENTRIES
    strides[turn] = 1 + (hashString(peer.name, STRIDE_SEED) % (ENTRIES - 1))
    gains[turn] = peer.weight / most
    // The lightest peer has an entry too: everybody takes one in the first round.
    credits[turn] = 1 - gains[turn]!
  }
  let left = ENTRIES
  while (left > 0) {
    for (let turn = 0; turn < count && left > 0; turn++) {
      credits[turn]! += gains[turn]!
      if (credits[turn]! < 1) continue
      credits[turn]! -= 1
      places[turn] = takeEntry(owners, places[turn]!, strides[turn]!, order[turn]!)
      left--
    }
  }
}

/** Gives the next free entry of a peer's order to it; returns where its order goes on. */
function takeEntry(owners: Uint16Array, place: number, stride: number, owner: number): number {
  let at = place
  while (owners[at] !== EMPTY) {
    at += stride
    if (at >= ENTRIES) at -= ENTRIES
  }
  owners[at] = owner
  return at
}
