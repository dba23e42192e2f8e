import { createHmac } from "node:crypto"
import { formatIp, ipFamily, writeIp } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import { Fields, NAME } from "../http/index.ts"

/** What of a client an access log keeps. */
export interface LinePrivacy {
  readonly clients: "keep" | "truncate" | "hash" | "drop"
  readonly users: "keep" | "hash" | "drop"
  readonly targets: "keep" | "no-query" | "host"
  readonly referers: "keep" | "host" | "drop"
  readonly userAgents: "keep" | "drop"
}

/** Octets of an address that stay: 192.0.2.0, 2001:db8:1:: (the usual measure: /24 and /48). */
const KEPT_FOUR = 3
const KEPT_SIX = 6
const HASH_DIGITS = 12
const DAY_MS = 86_400_000

/**
 * Takes off an exchange what its line must not say. The line is the last that is made of it: nobody behind reads these fields.
 * A hash is keyed with the day: two lines of one client can be told to be of one client until midnight (UTC), and nobody finds the client from them. `secret`: of this process.
 */
export function lineAnonymizer(privacy: LinePrivacy, secret: Uint8Array, nowMs: () => number = Date.now): (x: Exchange) => void {
  const hash = new DailyHash(secret, nowMs)
  const address = addressOf(privacy.clients, hash)
  return x => {
    const peer = x.peerAddress === x.clientAddress
    x.clientAddress = address(x.clientAddress)
    x.peerAddress = peer ? x.clientAddress : address(x.peerAddress)
    if (privacy.users !== "keep") {
      x.user = nameless(x.user, privacy.users, hash)
      if (x.notes !== null) x.notes.claimedUser = nameless(x.notes.claimedUser, privacy.users, hash)
    }
    if (privacy.targets !== "keep") {
      x.query = ""
      if (privacy.targets === "host" && x.path !== "") x.path = "/"
    }
    if (privacy.referers !== "keep" && x.request.has(NAME.referer)) shortenReferer(x, privacy.referers)
    if (privacy.userAgents === "drop") {
      x.request.remove(NAME.userAgent)
      // What a client says in TLS tells what it is as well.
      if (x.notes !== null) x.notes.ja4 = ""
    }
  }
}

function nameless(user: string, how: "hash" | "drop", hash: DailyHash): string {
  return user === "" || how === "drop" ? "" : hash.of(user)
}

function shortenReferer(x: Exchange, how: "host" | "drop"): void {
  const host = how === "host" ? /^https?:\/\/[^/?#]+/i.exec(x.request.get(NAME.referer))?.[0] : undefined
  if (host === undefined) return x.request.remove(NAME.referer)
  // What is added is not what came, which the log reads.
  const pairs: [string, string][] = []
  x.request.forEach((name, value) => void pairs.push([name, name.toLowerCase() === "referer" ? `${host}/` : value]))
  x.request.copyFrom(Fields.of(pairs))
}

function addressOf(how: LinePrivacy["clients"], hash: DailyHash): (address: string) => string {
  if (how === "keep") return address => address
  if (how === "drop") return () => "-"
  return how === "hash" ? address => hash.of(address) : truncated
}

/** The network of an address; what is no address ("unix") stays. */
export function truncated(address: string): string {
  const family = ipFamily(address)
  if (family === 0) return address
  const octets = new Uint8Array(16)
  const length = writeIp(address, octets, 0)
  octets.fill(0, family === 4 ? KEPT_FOUR : KEPT_SIX)
  return length === 0 ? address : formatIp(octets, 0, length)
}

class DailyHash {
  private readonly secret: Uint8Array
  private readonly nowMs: () => number
  private readonly known = new Map<string, string>()
  private day = -1

  constructor(secret: Uint8Array, nowMs: () => number) {
    this.secret = secret
    this.nowMs = nowMs
  }

  of(text: string): string {
    const day = Math.floor(this.nowMs() / DAY_MS)
    if (day !== this.day || this.known.size >= KNOWN_MAX) this.known.clear()
    this.day = day
    let hash = this.known.get(text)
    if (hash === undefined) {
      hash = createHmac("sha256", this.secret).update(`${day} ${text}`).digest("hex").slice(0, HASH_DIGITS)
      this.known.set(text, hash)
    }
    return hash
  }
}

const KNOWN_MAX = 4096
