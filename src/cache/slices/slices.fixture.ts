import { FakeClock, TimerWheel } from "../../base/index.ts"
import { acquireExchange, type Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { CacheStore } from "../cache-store.ts"
import { cacheOptionsSchema } from "../options.ts"
import { compilePolicy } from "../policy.ts"
import { RouteCache } from "../route-cache.ts"
import { Key } from "../store/key.ts"
import { MB, TestStore } from "../store/memory/memory-store.fixture.ts"
import { encodeResponse, type StoredFacts, StoredResponse } from "../stored.ts"
import { KnownSlices } from "./known-slices.ts"
import { type SliceScope, sliceKey } from "./slice-scope.ts"

export const SLICE = 64 * 1024
export const film = new Key("http://a.test/film", "\ncluster:a")

const facts: StoredFacts = {
  ...{ status: 206, responseMs: 0, initialAgeMs: 0, lifetimeMs: 60_000, swrMs: 0, sieMs: 0, requestMs: 0 },
  ...{ mustRevalidate: false, noCache: false, immutable: false, vary: "" },
}

/** The head of slice `number` of `length` octets. */
export function storedSlice(number: number, length: number, lines = 'ETag: "a"\r\n', more: Partial<StoredFacts> = {}): StoredResponse {
  const first = number * SLICE
  const last = Math.min(first + SLICE, length) - 1
  return new StoredResponse(
    { ...facts, ...more },
    `${lines}Content-Range: bytes ${first}-${last}/${length}\r\nContent-Length: ${last - first + 1}\r\n`,
  )
}

export function requestFor(fields: Record<string, string> = {}): Exchange {
  const x = acquireExchange()
  Object.assign(x, { method: "GET", scheme: "http", host: "a.test", authority: "a.test", port: 80, path: "/film", startedAt: 1 })
  x.request.copyFrom(Fields.of(Object.entries(fields)))
  return x
}

/** One thread's cache of a route that cuts bodies into slices. */
export class SlicingThread {
  readonly store = new TestStore({ bytes: 16 * MB })
  readonly clock = new FakeClock()
  readonly cache: RouteCache
  readonly known = new KnownSlices(this.store.store)

  constructor(options: object = {}) {
    const time = { clock: this.clock, wheel: new TimerWheel(this.clock.now()) }
    const policy = compilePolicy(cacheOptionsSchema.parse({ store: "main", slice: "64KB", ...options }), null)
    const store = new CacheStore("main", this.store.store, null, time)
    this.cache = new RouteCache({ policy, store, time, destination: "cluster:a", count() {}, plan: { respondAt: 1, fetch: null, plain: false } })
  }

  /** Stores a slice of `body`. */
  put(number: number, body: Uint8Array, lines?: string, more?: Partial<StoredFacts>): void {
    const stored = storedSlice(number, body.length, lines, { responseMs: this.clock.wall(), ...more })
    const writer = this.store.begin(sliceKey(film, number), true)
    const octets = body.subarray(number * SLICE, (number + 1) * SLICE)
    if (!writer.setHead(encodeResponse(stored, stored.lines), octets.length, []) || !writer.append(octets) || !writer.complete())
      throw new Error("no room")
    writer.release()
  }

  scope(x: Exchange): SliceScope {
    const { cache } = this
    return { cache, x, sliceBytes: SLICE, known: this.known, directives: cache.directivesOf(x), sinceMs: this.clock.wall(), key: film, refused: null }
  }

  usedBytes(): number {
    return this.store.control.stats().usedBytes
  }
}
