// HOT
import { hashString } from "../../base/index.ts"
import { type Exchange, NEXT, type Step, type Verdict } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import type { Peer } from "../peer.ts"
import type { Tried } from "../tried.ts"
import type { HomeTable } from "./home-table.ts"
import { Rendezvous } from "./rendezvous.ts"
import { homeKey, homeOf, isKnown, knownKey, Places, plainHash, STICKY_SLOT, type Sticky } from "./sticky.ts"

export interface LearnedStickyParts {
  /** Header whose value says who it is, lower case; "" = the client's address does. */
  readonly header: string
  readonly table: HomeTable
  readonly time: Time
}

/**
 * Knows clients by a header or by their address. The first time the key decides (rendezvous hashing); who answered is remembered in memory of all workers, so that
 * a peer that joins takes new clients only. A client whose peer takes no requests goes where its key says among the others, and that is its home from then on.
 */
export class LearnedSticky implements Sticky {
  private readonly parts: LearnedStickyParts
  private readonly places = new Places()
  private readonly rendezvous = new Rendezvous()

  constructor(parts: LearnedStickyParts) {
    this.parts = parts
  }

  peersChanged(primaries: readonly Peer[], backups: readonly Peer[]): void {
    this.places.set(primaries, backups)
    this.rendezvous.peersChanged(primaries)
  }

  readonly read: Step = (x: Exchange): Verdict => {
    const { header } = this.parts
    const who = header === "" ? x.clientAddress : x.request.find(header)
    if (who !== undefined && who !== "") x.slots[STICKY_SLOT] = hashString(who) || 1
    return NEXT
  }

  keyOf(x: Exchange, hash: number): number {
    const who = x.slots[STICKY_SLOT]
    if (typeof who !== "number") return hash
    const slot = this.parts.table.find(who, this.parts.time.clock.wall())
    return slot < 0 ? knownKey(who) : homeKey(who, slot)
  }

  select(key: number, tried: Tried): number {
    const slot = homeOf(key)
    const home = slot < 0 ? -1 : this.places.usable(slot, tried)
    return home >= 0 || !isKnown(key) ? home : this.rendezvous.select(plainHash(key), tried)
  }

  readonly tell: Step = (x: Exchange): Verdict => {
    const who = x.slots[STICKY_SLOT]
    if (typeof who !== "number" || x.peerName === "" || x.fault !== null) return NEXT
    const peer = this.places.named(x.peerName)
    if (peer !== undefined) this.parts.table.set(who, peer.slot, this.parts.time.clock.wall())
    return NEXT
  }

  says(x: Exchange): string {
    const { header } = this.parts
    const by = header === "" ? "the client's address" : `the value of ${header}`
    if (typeof x.slots[STICKY_SLOT] !== "number") return `the request has no ${header}: the balancer chooses`
    return `${by} decides, unless a running instance remembers that this client was with another peer`
  }
}
