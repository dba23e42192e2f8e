import { afterEach, expect, test } from "bun:test"
import fc from "fast-check"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { long } from "../support/long.ts"
import { field, readRequest, readResponse, type StrictMessage } from "../support/strict-reader.ts"
import type { Asked, Content, Exchanged, ModelPolicy, Stored } from "./cache-model.ts"
import { type Plan, ReferenceCache } from "./cache-reference.ts"
import { CacheWorld } from "./cache-world.ts"
import type { FakeWire } from "./fake-wire.ts"

// One request at a time: what the cache answers, and what it asks its origin, is exactly what the reference model says.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

interface Site {
  readonly cacheControl: string
  readonly vary: string
  readonly etag: boolean
  readonly lastModified: boolean
  readonly cookie: boolean
}

type Step =
  | {
      readonly do: "ask"
      readonly method: string
      readonly path: string
      readonly fields: Readonly<Record<string, string>>
      readonly origin: "well" | "refuse" | "500"
    }
  | { readonly do: "site"; readonly path: string; readonly site: Site }
  | { readonly do: "change"; readonly path: string }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "purge"; readonly path: string; readonly soft: boolean }

const PATHS = ["/a", "/b"]
const path = fc.constantFrom(...PATHS)
const lifetime = fc.constantFrom(
  ...[
    "",
    "max-age=2",
    "max-age=20",
    "s-maxage=20",
    "public, max-age=20",
    "no-cache",
    "no-store",
    "private, max-age=20",
    "max-age=2, must-revalidate",
  ],
  ...[
    "max-age=2, stale-while-revalidate=10",
    "max-age=2, stale-if-error=10",
    "max-age=20, must-revalidate",
    "public",
    "max-age=0, stale-if-error=30",
  ],
)
const site = fc.record({
  cacheControl: lifetime,
  vary: fc.constantFrom("", "", "x-a", "*"),
  etag: fc.boolean(),
  lastModified: fc.boolean(),
  cookie: fc.boolean(),
})
const maybe = (name: string, ...values: string[]) =>
  fc.option(fc.constantFrom(...values), { nil: "", freq: 3 }).map(value => (value === "" ? {} : { [name]: value }))
const fields = fc
  .tuple(
    maybe("x-a", "1", "2"),
    maybe("authorization", "Basic eDp5"),
    maybe("cookie", "u=x"),
    maybe(
      "cache-control",
      "no-cache",
      "no-store",
      "max-age=0",
      "max-age=5",
      "min-fresh=10",
      "max-stale",
      "max-stale=3",
      "only-if-cached",
      "stale-if-error=20",
    ),
  )
  .map(all => Object.assign({}, ...all) as Record<string, string>)
const ask = fc.record({
  do: fc.constant("ask" as const),
  method: fc.constantFrom("GET", "GET", "GET", "GET", "HEAD", "POST"),
  path,
  fields,
  origin: fc.constantFrom("well" as const, "well" as const, "well" as const, "well" as const, "refuse" as const, "500" as const),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: ask },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("site" as const), path, site }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("change" as const), path }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(500, 1500, 3000, 9000, 61_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("purge" as const), path, soft: fc.boolean() }) },
)
const policy = fc.record({ swrMs: fc.constantFrom(0, 0, 10_000), sieMs: fc.constantFrom(0, 0, 20_000) })
const history = fc.record({ policy, sites: fc.tuple(site, site), steps: fc.array(step, { minLength: 1, maxLength: 25 }) })

class Histories {
  private readonly world: CacheWorld
  private readonly reference: ReferenceCache
  private readonly sites: Record<string, Site>
  private readonly contents = new Map<string, Content>()
  private readonly journal: Exchanged[] = []
  private readonly readAt = new Map<FakeWire, number>()
  private seq = 0
  private versions = 0

  constructor(of: ModelPolicy, sites: readonly Site[]) {
    const cache = { staleWhileRevalidate: `${of.swrMs}ms`, staleIfError: `${of.sieMs}ms` }
    this.world = new CacheWorld({ cache, cluster: { retry: { attempts: 1 } } })
    this.reference = new ReferenceCache(of)
    this.sites = Object.fromEntries(PATHS.map((name, i) => [name, sites[i]!]))
  }

  play(steps: readonly Step[]): void {
    for (const each of steps) this.step(each)
    this.world.shutDown()
    expect(this.world.leaks()).toEqual([])
  }

  private step(each: Step): void {
    if (each.do === "site") this.sites[each.path] = each.site
    if (each.do === "site" || each.do === "change") for (const key of this.contents.keys()) if (key.startsWith(each.path)) this.contents.delete(key)
    if (each.do === "wait") this.world.advance(each.ms)
    if (each.do === "purge") {
      this.world.purge(`http://a.test${each.path}`, each.soft)
      this.reference.purge(each.path, each.soft)
    }
    if (each.do === "ask") this.ask(each)
  }

  private ask({ method, path: of, fields: own, origin }: Extract<Step, { do: "ask" }>): void {
    // No two requests come in the same moment: they could be told the same.
    this.world.advance(1)
    const asked: Asked = { id: "", path: of, method, request: own, at: this.world.clock.wall(), seq: ++this.seq }
    const plan = this.reference.plan(asked)
    const lines = Object.entries(own).map(([name, value]) => `${name}: ${value}\r\n`)
    const client = this.world.connect()
    client.deliver(`${method} ${of} HTTP/1.1\r\nhost: a.test\r\n${lines.join("")}${method === "POST" ? "content-length: 0\r\n" : ""}\r\n`)
    const reached = this.origin(asked, plan, origin)
    const said = `${JSON.stringify({ asked, plan, reached })}`
    expect(`${readAnswer(client, method)} to ${said}`).toBe(`${this.expected(asked, plan, reached)} to ${said}`)
  }

  /** Plays the origin when it is asked, and checks what it is asked. null = it was not, or could not be. */
  private origin(asked: Asked, plan: Plan, how: "well" | "refuse" | "500"): Exchanged | "refused" | null {
    const { world } = this
    const upstream = world.upstreams.findLast(wire => !wire.closed)
    const request = upstream === undefined ? null : this.requestAt(upstream)
    if (request !== null) return this.reply(asked, plan, upstream!, request, how)
    if (world.dials.length === 0) {
      expect(`asks for ${plan.ask}`).toBe("asks for nothing")
      return null
    }
    if (how === "refuse") {
      world.dials[0]!.fail()
      return "refused"
    }
    const opened = world.dials[0]!.open()
    return this.reply(asked, plan, opened, this.requestAt(opened)!, how)
  }

  private requestAt(upstream: FakeWire): StrictMessage | null {
    const reading = readRequest(upstream.sent, this.readAt.get(upstream) ?? 0)
    if (reading.is !== "whole") return null
    this.readAt.set(upstream, reading.end)
    return reading.message
  }

  private reply(asked: Asked, plan: Plan, upstream: FakeWire, message: StrictMessage, how: "well" | "refuse" | "500"): Exchanged {
    expect(`asks for ${plan.ask}`).not.toBe("asks for nothing")
    const condition = { tag: field(message, "if-none-match"), date: field(message, "if-modified-since") }
    const { etag, lastModified } = (plan.ask === "changed" ? plan.old!.first.content : null) ?? { etag: "", lastModified: "" }
    expect(condition).toEqual({ tag: etag || undefined, date: lastModified || undefined })
    const exchanged = this.answerOf(asked, condition, how === "well" ? 200 : 500)
    this.journal.push(exchanged)
    const lines = Object.entries(exchanged.response).map(([name, value]) => `${name}: ${value}\r\n`)
    const body = exchanged.status === 304 || asked.method === "HEAD" ? "" : bodyOf(exchanged)
    const length = exchanged.status === 304 ? "" : `content-length: ${bodyOf(exchanged).length}\r\n`
    upstream.deliver(`HTTP/1.1 ${exchanged.status} S\r\n${lines.join("")}${length}\r\n${body}`)
    return exchanged
  }

  private answerOf(
    { path: of, method, request, at }: Asked,
    condition: { tag?: string | undefined; date?: string | undefined },
    status: number,
  ): Exchanged {
    const { cacheControl, vary, cookie } = this.sites[of]!
    const times = { readAt: at, readSeq: ++this.seq, headAt: at, headSeq: ++this.seq }
    const base = { n: this.journal.length, asker: "", path: of, method, request, ...times, content: null, status }
    if (status === 500 || method === "POST") return { ...base, response: {} }
    const content = this.contentOf(of, request)
    const isSame =
      condition.tag === undefined ? condition.date === content.lastModified && content.lastModified !== "" : condition.tag === content.etag
    const response: Record<string, string> = {}
    if (cacheControl !== "") response["cache-control"] = cacheControl
    if (vary !== "") response.vary = vary
    if (cookie) response["set-cookie"] = "sid=1"
    if (content.etag !== "") response.etag = content.etag
    if (content.lastModified !== "") response["last-modified"] = content.lastModified
    return isSame ? { ...base, status: 304, response } : { ...base, content, response }
  }

  private contentOf(of: string, request: Asked["request"]): Content {
    const { vary, etag, lastModified } = this.sites[of]!
    const kind = `${of} ${vary === "x-a" ? request["x-a"] : ""}`
    const known = this.contents.get(kind)
    if (known !== undefined) return known
    const id = `c${++this.versions}`
    const date = new Date(1_767_225_600_000 - 100_000 + this.versions * 1000).toUTCString()
    const content = { id, length: id.length, etag: etag ? `"${id}"` : "", lastModified: lastModified ? date : "" }
    this.contents.set(kind, content)
    return content
  }

  /** Status and body that the client is to get. */
  private expected(asked: Asked, plan: Plan, reached: Exchanged | "refused" | null): string {
    const body = (stored: Stored): string => (asked.method === "HEAD" ? "200" : `200 ${bodyOf(stored.first)}`)
    if (reached === null) return plan.serve === null ? "504" : body(plan.serve)
    if (reached === "refused" || (reached.status === 500 && plan.ask === "changed")) {
      const standIn = plan.inBackground ? plan.serve : this.reference.failed(asked, plan)
      if (standIn !== null && reached !== "refused" && !plan.inBackground) return body(standIn)
      if (standIn !== null) return body(standIn)
      if (reached === "refused") return "502"
    }
    const stored = this.reference.answered(asked, plan, reached)
    if (plan.serve !== null) return body(plan.serve)
    if (stored !== null) return `${stored.first.status} ${bodyOf(stored.first)}`.trim()
    return `${reached.status} ${asked.method === "HEAD" ? "" : bodyOf(reached)}`.trim()
  }
}

function readAnswer(client: FakeWire, method: string): string {
  const reading = readResponse(client.sent, 0, method, false)
  if (reading.is !== "whole") return `no answer: ${client.sent}`
  const { status, body } = reading.message
  return `${status} ${body.includes("fault: ") ? "" : body}`.trim()
}

function bodyOf({ content, status, method }: Exchanged): string {
  return content?.id ?? (status === 500 ? "sorry" : method === "POST" ? "done" : "")
}

/** What goes wrong, with the history that does it, cut down, and the seed that tells it again. */
function problemOf(runs: number): string {
  const property = fc.property(history, ({ policy: of, sites, steps }) => new Histories(of, sites).play(steps))
  const { failed, counterexample, seed, counterexamplePath, errorInstance } = fc.check(property, { numRuns: runs })
  return failed ? `seed ${seed}, path ${counterexamplePath}: ${JSON.stringify(counterexample)}: ${(errorInstance as Error).message}` : ""
}

test("a reference model of a shared cache, one request at a time", () => {
  expect(problemOf(long ? 20_000 : 400)).toBe("")
}, 60_000)
