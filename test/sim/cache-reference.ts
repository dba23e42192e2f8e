import {
  ageMs,
  type Asked,
  directives,
  type Exchanged,
  lifetimeMs,
  type ModelPolicy,
  type Stored,
  storedOf,
  whyNotReused,
  whyNotStored,
} from "./cache-model.ts"

/** What is under one key: a response; which fields tell the variants of a URL apart; or that requests are to go straight to the origin until then. */
type Slot =
  | { readonly is: "response"; readonly stored: Stored; readonly marked: boolean }
  | { readonly is: "variants"; readonly sets: readonly string[] }
  | { readonly is: "pass"; readonly until: number }

export interface Plan {
  /** The stored response that answers; null = the origin does, or nobody. */
  readonly serve: Stored | null
  /** What is asked of the origin: nothing, the request as it is, for the whole, or whether what is stored has changed. */
  readonly ask: "nothing" | "pass" | "whole" | "changed"
  /** Nobody waits for that. */
  readonly inBackground: boolean
  readonly key: string
  /** What is stored and may be asked about. */
  readonly old: Stored | null
}

const PASS_MS = 60_000
const LET_GO_MS = 1000
/** Reasons that lie in the response and will last. */
const LASTING = ["no-store", "private", "Set-Cookie", "Vary: *"]

/**
 * The whole state of a shared cache in front of one origin, for one request at a time. What RFC 9111 leaves open is as Bothways has it: variants are under rules, what is
 * not to be stored is remembered, credentials are for no fetch that others wait for, HEAD goes through when nothing fresh is there.
 */
export class ReferenceCache {
  private readonly slots = new Map<string, Slot>()
  private readonly policy: ModelPolicy

  constructor(policy: ModelPolicy) {
    this.policy = policy
  }

  purge(path: string, soft: boolean): void {
    for (const [key, slot] of this.slots) {
      if (!key.startsWith(`${path}\n`)) continue
      if (!soft) this.slots.delete(key)
      else if (slot.is === "response") this.slots.set(key, { ...slot, marked: true })
    }
  }

  /** What is to be done with a request. `at`: now. */
  plan(asked: Asked): Plan {
    const key = this.keyFor(asked)
    const slot = this.slots.get(key)
    const wanted = directives(asked.request["cache-control"])
    const none = { serve: null, inBackground: false, key, old: null }
    if (asked.method !== "GET" && asked.method !== "HEAD") return { ...none, ask: "pass" }
    if (slot?.is === "pass" && slot.until > asked.at) return { ...none, ask: wanted["only-if-cached"] ? "nothing" : "pass" }
    if (slot?.is !== "response") {
      if (wanted["only-if-cached"]) return { ...none, ask: "nothing" }
      return { ...none, ask: asked.method === "HEAD" || wanted["no-store"] ? "pass" : "whole" }
    }
    const { stored, marked } = slot
    if (whyNotReused(stored, asked, { policy: this.policy, marked, failed: false }) === "") return this.reuse(asked, key, stored, marked)
    if (wanted["only-if-cached"]) return { ...none, ask: "nothing" }
    return asked.method === "HEAD" ? { ...none, ask: "pass" } : { ...none, ask: "changed", old: stored }
  }

  /** Fresh, or stale where the client takes that: as it is. Else it is asked for anew behind the client's back. */
  private reuse(asked: Asked, key: string, stored: Stored, marked: boolean): Plan {
    const wanted = directives(asked.request["cache-control"])
    const age = ageMs(stored, asked.at)
    const isFresh = age < lifetimeMs(stored) && !marked
    const maxStale = wanted["max-stale"]
    const said = directives(stored.response["cache-control"])
    const mayBeStale = said["must-revalidate"] === undefined && said["s-maxage"] === undefined && !marked
    const isTaken = maxStale !== undefined && mayBeStale && (maxStale === true || age - lifetimeMs(stored) <= maxStale * 1000)
    const inBackground = !isFresh && !isTaken
    return { serve: stored, ask: inBackground ? "changed" : "nothing", inBackground, key, old: inBackground ? stored : null }
  }

  private keyFor({ path, request }: Pick<Asked, "path" | "request">): string {
    const plain = `${path}\n`
    const slot = this.slots.get(plain)
    if (slot?.is !== "variants") return plain
    const keys = slot.sets.map(names => variantOf(plain, names, request))
    return keys.find(key => this.slots.has(key)) ?? keys[0]!
  }

  /** The origin has failed: what stands in for its answer, or null. */
  failed(asked: Asked, { old }: Plan): Stored | null {
    if (old === null) return null
    const slot = this.slots.get(this.keyFor(asked))
    const marked = slot?.is === "response" && slot.marked
    const strict = { ...asked.request, "cache-control": onlyOnErrors(asked.request["cache-control"]) }
    // What only a failure permits.
    return whyNotReused(old, { ...asked, request: strict }, { policy: { ...this.policy, swrMs: 0 }, marked, failed: true }) === "" ? old : null
  }

  /** The origin has answered: what is stored from now on. `exchanged` is what it was asked and said. Returns what the client has of the store then. */
  answered(asked: Asked, { key, ask, old, inBackground }: Plan, exchanged: Exchanged): Stored | null {
    if (ask === "pass") {
      this.passed(asked, key, exchanged)
      return null
    }
    const isShared = asked.request.authorization === undefined
    if (exchanged.status === 304 && old !== null) return this.validated(old, exchanged, key, { isShared, isKept: isShared || inBackground })
    const stored = storedOf(exchanged, null)
    const why = whyNotKept(exchanged, stored, this.policy)
    if (why === "") {
      this.keep(key, stored)
      return stored
    }
    const isLasting = lasts(why, exchanged.status)
    if (isShared && (old === null || isLasting)) this.slots.set(key, { is: "pass", until: asked.at + (isLasting ? PASS_MS : LET_GO_MS) })
    return null
  }

  private validated(old: Stored, exchanged: Exchanged, key: string, { isShared, isKept }: { isShared: boolean; isKept: boolean }): Stored {
    const fresh = storedOf(old.first, exchanged)
    const combined = { ...old.first, response: fresh.response, request: exchanged.request }
    const why = whyNotKept(combined, fresh, this.policy)
    if (isKept && why === "") this.slots.set(key, { is: "response", stored: fresh, marked: false })
    else if (isShared && lasts(why, old.first.status)) this.slots.set(key, { is: "pass", until: exchanged.headAt + PASS_MS })
    return fresh
  }

  private keep(key: string, stored: Stored): void {
    const plain = key.slice(0, key.indexOf("\n") + 1)
    const names = (stored.response.vary ?? "").toLowerCase()
    const target = names === "" ? plain : variantOf(plain, names, stored.first.request)
    this.slots.set(target, { is: "response", stored, marked: false })
    if (names === "" || target === key) return
    const known = this.slots.get(plain)
    const others = known?.is === "variants" ? known.sets.filter(set => set !== names) : []
    this.slots.set(plain, { is: "variants", sets: [names, ...others] })
  }

  /** An answer that went by the cache. */
  private passed(asked: Asked, key: string, exchanged: Exchanged): void {
    const slot = this.slots.get(key)
    if (asked.method !== "GET" && asked.method !== "HEAD") {
      if (exchanged.status < 400) this.purge(asked.path, false)
      return
    }
    if (asked.method === "HEAD" && slot?.is === "response" && exchanged.status === 200) this.headCame(slot.stored, key, exchanged)
    // Cookies are a sign for most, and not looked at any closer.
    if (slot?.is !== "pass" || slot.until <= asked.at || asked.method === "HEAD" || exchanged.response["set-cookie"] !== undefined) return
    if (exchanged.status < 300 && whyNotKept(exchanged, storedOf(exchanged, null), this.policy) === "") this.slots.delete(key)
  }

  /** Section 4.3.5. */
  private headCame(stored: Stored, key: string, exchanged: Exchanged): void {
    const { etag, "last-modified": modified } = exchanged.response
    const isSame =
      (etag === undefined || etag === stored.response.etag) &&
      (modified === undefined || modified === stored.response["last-modified"]) &&
      exchanged.content?.length === stored.first.content?.length
    const fresh = storedOf(stored.first, exchanged)
    if (!isSame) this.slots.delete(key)
    else if (whyNotKept({ ...exchanged, method: "GET" }, fresh, this.policy) === "")
      this.slots.set(key, { is: "response", stored: fresh, marked: false })
  }
}

function variantOf(plain: string, names: string, request: Asked["request"]): string {
  const values = names.split(",").map(name => `${name.trim()}=${request[name.trim()] ?? ""}`)
  return `${plain}${names}\n${values.join("\n")}`
}

/** Not to be stored, or of no use in the store. */
function whyNotKept(exchanged: Exchanged, stored: Stored, { swrMs, sieMs }: ModelPolicy): string {
  const why = whyNotStored(exchanged)
  if (why !== "") return why
  const { response } = stored
  const said = directives(response["cache-control"])
  const isStrict = said["must-revalidate"] !== undefined || said["no-cache"] !== undefined
  const isOfUse =
    (said["no-cache"] === undefined && lifetimeMs(stored) > ageMs(stored, stored.last.headAt)) ||
    (!isStrict && (said["stale-while-revalidate"] !== undefined || said["stale-if-error"] !== undefined || swrMs > 0 || sieMs > 0)) ||
    response.etag !== undefined ||
    response["last-modified"] !== undefined
  return isOfUse ? "" : "no use"
}

function lasts(why: string, status: number): boolean {
  return LASTING.includes(why) || (status < 500 && (why === "no use" || why === "nothing allows it"))
}

/** Of what a client asks, what counts when the origin has failed. */
function onlyOnErrors(cacheControl = ""): string {
  return cacheControl === "no-cache" || cacheControl.startsWith("stale-if-error") ? cacheControl : "max-age=0"
}
