// HOT
import type { Exchange, Step } from "../../flow/index.ts"
import type { Peer } from "../peer.ts"
import type { Tried } from "../tried.ts"

/** State slot of the exchange where `read` leaves what it found for the rest of the way. Routes number those of their filters behind it. */
export const STICKY_SLOT = 1

const HASHES = 0x1_0000_0000
/** Above the hash: the client is known by its key, and has no home yet. */
const KNOWN = 1
/** Above the hash: the slot of the client's home and this. */
const HOME = 2

/** Keeps clients with their peers. One for each cluster in one worker; made with the snapshot. */
export interface Sticky {
  /** Before the cache: who asks. What is for us alone goes no further. */
  readonly read: Step
  /** Behind the cache: the client, or our memory, learns which peer it was. */
  readonly tell: Step
  /** The key for `select`; `hash` is the balancer's. */
  keyOf(x: Exchange, hash: number): number
  /** Index of the client's peer, backups numbered after the primaries; -1 = whoever the balancer takes. */
  select(key: number, tried: Tried): number
  peersChanged(primaries: readonly Peer[], backups: readonly Peer[]): void
  /** For explain: what the request says of its peer. */
  says(x: Exchange): string
}

/** A key with nothing above the hash is nobody's. */
export function knownKey(hash: number): number {
  return hash + KNOWN * HASHES
}

export function homeKey(hash: number, slot: number): number {
  return hash + (slot + HOME) * HASHES
}

/** The hash in a key. */
export function plainHash(key: number): number {
  return key % HASHES
}

/** The slot of the home in a key, -1 = none. */
export function homeOf(key: number): number {
  return key < HOME * HASHES ? -1 : Math.floor(key / HASHES) - HOME
}

/** Whether the key is one of a client that is known, with a home or without. */
export function isKnown(key: number): boolean {
  return key >= KNOWN * HASHES
}

/** Where the peers of a list stand: found by their slots and by their names. */
export class Places {
  peers: Peer[] = []
  primaries = 0
  private readonly bySlot = new Map<number, number>()
  private readonly byName = new Map<string, Peer>()

  set(primaries: readonly Peer[], backups: readonly Peer[]): void {
    this.primaries = primaries.length
    this.peers = primaries.concat(backups)
    this.bySlot.clear()
    this.byName.clear()
    for (let i = 0; i < this.peers.length; i++) {
      const peer = this.peers[i]!
      this.bySlot.set(peer.slot, i)
      this.byName.set(peer.name, peer)
    }
  }

  /** Index of the peer with this slot if it takes a request of a session now, else -1. */
  usable(slot: number, tried: Tried): number {
    const index = this.bySlot.get(slot)
    return index === undefined || tried.has(index) || !this.peers[index]!.takesSessions() ? -1 : index
  }

  at(slot: number): Peer | undefined {
    const index = this.bySlot.get(slot)
    return index === undefined ? undefined : this.peers[index]
  }

  named(name: string): Peer | undefined {
    return this.byName.get(name)
  }
}
