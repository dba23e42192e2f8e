import { FakeClock, TimerWheel } from "../../base/index.ts"
import { acquireExchange, type Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { CacheStore } from "../cache-store.ts"
import { cacheOptionsSchema } from "../options.ts"
import { compilePolicy } from "../policy.ts"
import { RouteCache } from "../route-cache.ts"
import { variantUnder } from "../variants.ts"
import { variantKey } from "../rules/vary.ts"
import type { MemoryEntry, MemoryStore } from "../store/contract.ts"
import { Key } from "../store/key.ts"
import { MB, readBody, TestStore } from "../store/memory/memory-store.fixture.ts"
import { encodeResponse, type StoredFacts, StoredResponse } from "../stored.ts"
import type { Coding } from "./coding.ts"
import type { Encoder } from "./encoder.ts"

const facts: StoredFacts = {
  ...{ status: 200, responseMs: 0, initialAgeMs: 0, lifetimeMs: 60_000, swrMs: 0, sieMs: 0, requestMs: 0 },
  ...{ mustRevalidate: false, noCache: false, immutable: false, vary: "" },
}

/** A stored response of type text/plain with these lines. */
export function storedWith(lines: string, more: Partial<StoredFacts> = {}): StoredResponse {
  return new StoredResponse({ ...facts, ...more }, `Content-Type: text/plain\r\n${lines}`)
}

export const page = new Key("http://a.test/page", "\ncluster:a")
export const text = Buffer.from("All work and no play makes Jack a dull boy. ".repeat(200))

/** The key of a response to a request without the fields that its Vary names. */
export function keyFor({ vary }: StoredResponse): Key {
  if (vary === "") return page
  const names = vary.split(",")
  return variantUnder(
    page,
    names,
    variantKey(names, () => ""),
  )
}

/** What an answer was made of. */
export interface Chosen {
  /** "" = plain. */
  readonly coding: string
  readonly body: Buffer
  readonly fields: Fields
  readonly place: number
  readonly generation: number
}

/** One thread's cache of a route that compresses. */
export class EncodingThread {
  readonly cache: RouteCache
  readonly clock = new FakeClock()
  private readonly memory: MemoryStore
  private readonly codings: readonly Coding[]

  constructor(memory: MemoryStore, codings: readonly Coding[] = ["br", "zstd", "gzip"]) {
    this.memory = memory
    this.codings = codings
    const time = { clock: this.clock, wheel: new TimerWheel(this.clock.now()) }
    const policy = compilePolicy(cacheOptionsSchema.parse({ store: "main", compress: codings }), null)
    const store = new CacheStore("main", memory, null, time)
    this.cache = new RouteCache({ policy, store, time, destination: "cluster:a", count() {}, plan: { respondAt: 1, fetch: null, plain: false } })
  }

  get encoder(): Encoder {
    return this.cache.policy.encoder!
  }

  /** Answers a request for `page`, and gives back what it is answered from. */
  ask(stored: StoredResponse, request: Record<string, string> = { "accept-encoding": this.codings.join(", ") }, method = "GET"): Chosen {
    const x = requestFor(request, method)
    x.response.copyFrom(stored.fields)
    x.response.extra = "Age: 1\r\n"
    const entry = this.encoder.choose(this.cache, x, this.memory.find(keyFor(stored))!, stored) as MemoryEntry
    const fields = Fields.of(x.response.render().split("\r\n").slice(0, -1).map(pairOf))
    const { place, generation } = entry
    const chosen = { coding: fields.find("content-encoding") ?? "", body: readBody(entry), fields, place, generation }
    entry.release()
    x.release()
    return chosen
  }

  /** Asks until it is not answered in plain octets any more. */
  async encoded(stored: StoredResponse, request?: Record<string, string>): Promise<Chosen> {
    for (let times = 0; times < 400; times++) {
      const chosen = this.ask(stored, request)
      if (chosen.coding !== "") return chosen
      this.clock.advance(1000)
      await Bun.sleep(5)
    }
    throw new Error("it was never encoded")
  }
}

function pairOf(line: string): [string, string] {
  const colon = line.indexOf(": ")
  return [line.slice(0, colon), line.slice(colon + 2)]
}

export function requestFor(fields: Record<string, string>, method = "GET"): Exchange {
  const x = acquireExchange()
  Object.assign(x, { method, scheme: "http", host: "a.test", authority: "a.test", port: 80, path: "/page", startedAt: 1 })
  x.request.copyFrom(Fields.of(Object.entries(fields)))
  return x
}

/** A store with this response under `page`. */
export function storeWith(stored: StoredResponse, body: Uint8Array = text, bytes = 16 * MB): TestStore {
  const store = new TestStore({ bytes })
  put(store.store, stored, body)
  return store
}

/** Stores it, in place of what is there. */
export function put(memory: MemoryStore, stored: StoredResponse, body: Uint8Array = text, labels: readonly string[] = []): void {
  const writer = memory.begin(keyFor(stored), true)!
  if (!writer.setHead(encodeResponse(stored, stored.lines), body.length, labels) || !writer.append(body) || !writer.complete())
    throw new Error("no room")
  writer.release()
}
