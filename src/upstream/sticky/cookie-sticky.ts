// HOT
import { createHmac } from "node:crypto"
import { type Exchange, NEXT, type Step, type Verdict } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import type { Peer } from "../peer.ts"
import type { Tried } from "../tried.ts"
import { takeCookie } from "./cookie-pairs.ts"
import { keepFromSharedCaches } from "./keep-from-shared-caches.ts"
import { homeKey, homeOf, Places, STICKY_SLOT, type Sticky } from "./sticky.ts"

export interface CookieStickyOptions {
  /** Name of the cookie. */
  readonly name: string
  /** Milliseconds that the client keeps it; 0 = as long as its browser runs. */
  readonly ttlMs: number
  readonly path: string
  /** "" = the host that was asked alone. */
  readonly domain: string
  readonly sameSite: "Lax" | "Strict" | "None"
  /** null = where the client came to us by https. */
  readonly secure: boolean | null
  readonly httpOnly: boolean
  /** The peer sees it, too. */
  readonly keep: boolean
}

export interface CookieStickyParts {
  readonly cluster: string
  readonly secret: string | Uint8Array
  readonly time: Time
}

/** A value is good in the part of time that it was made in and in so many more. */
const PARTS_OF_TTL = 2
/** Octets of the authentication code that make the value: nobody finds 16 of them by trying. */
const VALUE_OCTETS = 16
/** Values of one name in one request that are looked at. */
const VALUES_MAX = 4

/**
 * A cookie that says which peer, and only to us: the value is an authentication code (HMAC-SHA256) of the peer's name under a secret. It reveals no address, and
 * nobody without the secret can make one; what is none of the values that we could have given out is as good as no cookie. All clients of a peer have the same value,
 * so that it tells nobody who they are. Values are computed when the list of peers changes; a request costs one look-up.
 *
 * With a ttl a value is also one of its time, in halves of the ttl: it is taken for as long as the client should keep it and half as long again, and whoever
 * comes with one of an earlier half gets a new one. So a session ends `ttl` after its last request, give or take half of it.
 */
export class CookieSticky implements Sticky {
  private readonly options: CookieStickyOptions
  private readonly parts: CookieStickyParts
  private readonly places = new Places()
  /** Slots by value, of all times that are still good. */
  private readonly slots = new Map<string, number>()
  /** Values of now by the names of peers. */
  private readonly values = new Map<string, string>()
  private epoch = -1
  private readonly before: string
  private readonly after: string

  constructor(options: CookieStickyOptions, parts: CookieStickyParts) {
    this.options = options
    this.parts = parts
    this.before = `${options.name}=`
    this.after =
      `; Path=${options.path}${options.domain === "" ? "" : `; Domain=${options.domain}`}` +
      `${options.ttlMs === 0 ? "" : `; Max-Age=${Math.ceil(options.ttlMs / 1000)}`}` +
      `${options.httpOnly ? "; HttpOnly" : ""}; SameSite=${options.sameSite}`
  }

  peersChanged(primaries: readonly Peer[], backups: readonly Peer[]): void {
    this.places.set(primaries, backups)
    this.compute(this.epochNow())
  }

  private epochNow(): number {
    const { ttlMs } = this.options
    return ttlMs === 0 ? 0 : Math.floor(this.parts.time.clock.wall() / (ttlMs / PARTS_OF_TTL))
  }

  private compute(epoch: number): void {
    this.epoch = epoch
    this.slots.clear()
    this.values.clear()
    const oldest = this.options.ttlMs === 0 ? epoch : epoch - PARTS_OF_TTL
    for (const peer of this.places.peers) {
      for (let of = oldest; of <= epoch; of++) {
        const value = this.valueFor(peer.name, of)
        this.slots.set(value, peer.slot)
        this.values.set(peer.name, value)
      }
    }
  }

  private valueFor(peer: string, epoch: number): string {
    const code = createHmac("sha256", this.parts.secret)
      .update(JSON.stringify(["sticky", this.parts.cluster, peer, epoch]))
      .digest()
    return code.subarray(0, VALUE_OCTETS).toString("base64url")
  }

  readonly read: Step = (x: Exchange): Verdict => {
    const values = takeCookie(x.request, this.options.name, this.options.keep)
    if (values === null) return NEXT
    const epoch = this.epochNow()
    if (epoch !== this.epoch) this.compute(epoch)
    // One that is good comes before one that is not: a path of its own may have left another.
    let value = values[0]!
    for (let i = 0; i < values.length && i < VALUES_MAX; i++) {
      if (!this.slots.has(values[i]!)) continue
      value = values[i]!
      break
    }
    x.slots[STICKY_SLOT] = value
    return NEXT
  }

  keyOf(x: Exchange, hash: number): number {
    const value = x.slots[STICKY_SLOT]
    const slot = typeof value === "string" ? this.slots.get(value) : undefined
    return slot === undefined ? hash : homeKey(hash, slot)
  }

  select(key: number, tried: Tried): number {
    const slot = homeOf(key)
    return slot < 0 ? -1 : this.places.usable(slot, tried)
  }

  /** A cookie for whoever has none, or one of another peer, or one that will soon be too old. Behind the cache, so that nothing is stored with it. */
  readonly tell: Step = (x: Exchange): Verdict => {
    if (x.peerName === "" || x.fault !== null) return NEXT
    const epoch = this.epochNow()
    if (epoch !== this.epoch) this.compute(epoch)
    const value = this.values.get(x.peerName)
    // A peer that left the list while it answered is nobody's home.
    if (value === undefined || value === x.slots[STICKY_SLOT]) return NEXT
    const { secure } = this.options
    const isSecure = secure === null ? x.scheme === "https" : secure
    x.response.append("Set-Cookie", isSecure ? `${this.before}${value}${this.after}; Secure` : this.before + value + this.after)
    keepFromSharedCaches(x)
    return NEXT
  }

  says(x: Exchange): string {
    const value = x.slots[STICKY_SLOT]
    const { name } = this.options
    if (typeof value !== "string") return `no cookie ${name}: the balancer chooses, and the answer sets it`
    const slot = this.slots.get(value)
    const peer = slot === undefined ? undefined : this.places.at(slot)
    if (peer === undefined) {
      const why =
        typeof this.parts.secret === "string"
          ? "is none that this proxy would take now"
          : "can be read by the instance alone that made it, for it has a secret of its own"
      return `the cookie ${name} ${why}: where it is no good the balancer chooses, and the answer sets a new one`
    }
    return `the cookie ${name} names ${peer.name}${peer.takesSessions() ? "" : ", which takes no request now: the balancer chooses, and the answer sets a new one"}`
  }
}
