import type { KeyObject } from "node:crypto"
import type { Authority } from "../x509/authority.ts"
import { keyPem, makeKey } from "../x509/make-certificate.ts"
import { type NativeContext, nativeContext } from "./context.ts"

const DAY_MS = 86_400_000
/** Clients refuse certificates of more than 397 days; one that is made anew every day needs no more than a month, for clients whose clock is wrong. */
const LEAF_MS = 30 * DAY_MS
/** So long a leaf is used. */
const USE_MS = DAY_MS

interface Leaf {
  readonly context: NativeContext
  readonly until: number
}

let ownKey: { readonly key: KeyObject; readonly pem: string } | null = null

/** One pair for all leaves of this thread: what costs is making a key, and who trusts the authority trusts all of them alike. */
function leafKey(): { readonly key: KeyObject; readonly pem: string } {
  if (ownKey === null) {
    const key = makeKey("p256")
    ownKey = { key, pem: keyPem(key) }
  }
  return ownKey
}

/** Server contexts whose certificates an authority of ours signs when they are asked for (RFC 5280), the ones used last kept. */
export class LeafContexts {
  private readonly authority: Authority
  private readonly leavesMax: number
  private readonly leaves = new Map<string, Leaf>()
  /** Certificates that were made. */
  made = 0

  /** `leavesMax`: names whose context is kept, about 25 KB each. */
  constructor(authority: Authority, leavesMax: number) {
    this.authority = authority
    this.leavesMax = leavesMax
    leafKey()
  }

  /** The context of a host name or an address. Throws when no certificate can be made for it. */
  contextFor(name: string, nowMs: number = Date.now()): NativeContext {
    const known = this.leaves.get(name)
    if (known !== undefined) {
      this.leaves.delete(name)
      if (known.until > nowMs) {
        this.leaves.set(name, known)
        return known.context
      }
    }
    const { key, pem } = leafKey()
    const cert = this.authority.issueLeaf({ names: [name], key, lifeMs: LEAF_MS }, nowMs)
    const context = nativeContext({ cert: cert + this.authority.chain, key: pem })
    this.made++
    if (this.leaves.size >= this.leavesMax) this.leaves.delete(this.leaves.keys().next().value!)
    this.leaves.set(name, { context, until: Math.min(nowMs + USE_MS, this.authority.validTo) })
    return context
  }

  /** Made by the same authority, with the same room. */
  isOf(authority: Authority, leavesMax: number): boolean {
    return authority.cert === this.authority.cert && leavesMax === this.leavesMax
  }

  get size(): number {
    return this.leaves.size
  }
}
