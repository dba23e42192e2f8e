import { describe, expect, test } from "bun:test"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { FAULT } from "../../base/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import { AnswerComparer, type SeenAnswer } from "./compare-answers.ts"
import mirror from "./mirror.ts"

const options = (given: object) => mirror.options.parse({ to: "shadow", ...given })

function start(given: object = {}): { deps: FakeDeps; run: FilterRun } {
  const deps = new FakeDeps()
  return { deps, run: new FilterRun(mirror.build(options(given), deps)) }
}

const GET = "GET /a?b=1 HTTP/1.1\r\nHost: a.test\r\nAuthorization: Basic eDp5\r\nCookie: s=1\r\nConnection: keep-alive\r\nX-A: 1\r\n\r\n"

describe("copies", () => {
  test("the request as it stands, with its secrets or without, and a word that it is a copy", () => {
    const { deps, run } = start()
    expect(run.send(GET)).toStartWith("HTTP/1.1 404")
    expect(deps.sent[0]).toMatchObject({
      cluster: "shadow",
      request: { method: "GET", path: "/a?b=1", authority: "a.test", body: null, bodyBytesMax: 0, timeoutMs: 30_000 },
    })
    expect(deps.sent[0]!.request.fields).toBe("Authorization: Basic eDp5\r\nCookie: s=1\r\nX-A: 1\r\nX-Bothways-Mirror: 1\r\n")
    const dropping = start({ secrets: "drop" })
    dropping.run.send(GET)
    expect(dropping.deps.sent[0]!.request.fields).toBe("X-A: 1\r\nX-Bothways-Mirror: 1\r\n")
  })

  test("no body that says it is too long", () => {
    const { deps, run } = start({ bytesMax: "8B" })
    run.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n123456789")
    expect([deps.sent.length, deps.counts.get("mirror_too_long")]).toEqual([0, 1])
  })

  test("so many of them as the share says, and none of a copy", () => {
    const { deps, run } = start({ share: "10%" })
    for (let i = 0; i < 500; i++) run.send(GET)
    expect(Math.abs(deps.sent.length - 50)).toBeLessThanOrEqual(1)
    const all = start()
    all.run.send("GET / HTTP/1.1\r\nHost: a.test\r\nx-bothways-mirror: 1\r\n\r\n")
    all.run.send("GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    expect(all.deps.sent.length).toBe(0)
  })

  test("no more at a time than the limit; those that fail are counted", () => {
    const { deps, run } = start({ inFlightMax: 2 })
    for (let i = 0; i < 5; i++) run.send(GET)
    expect([deps.sent.length, deps.counts.get("mirror_dropped")]).toEqual([2, 3])
    deps.sent[0]!.done(null, FAULT.connectRefused)
    run.send(GET)
    expect([deps.sent.length, deps.counts.get("mirror_failures")]).toEqual([3, 1])
  })

  test("says what it does; an odd path is a slip", () => {
    const filter = mirror.build(options({ share: "5%", compare: { body: {} } }), new FakeDeps())
    expect(filter.describe!()).toBe("copies 5 % of requests to shadow and compares the answers, bodies too")
    expect(mirror.options.safeParse({ to: "a", compare: { body: { ignore: ["price"] } } }).success).toBe(false)
    expect(mirror.options.safeParse({ to: "a", compare: { body: { ignore: ["~("] } } }).success).toBe(false)
    expect(mirror.clusters!(options({}))).toEqual([{ at: ["to"], name: "shadow" }])
  })
})

describe("comparing", () => {
  const seen = (status: number, headers: Record<string, string>, body: string | Uint8Array | null = null): SeenAnswer => ({
    status,
    headers: new Map(Object.entries(headers)),
    body: typeof body === "string" ? Buffer.from(body) : body,
  })
  const comparer = (compare: object) => new AnswerComparer(options({ compare }).compare!)
  const json = { "content-type": "application/json" }

  test("status, and then nothing else", () => {
    expect(comparer({}).compare(seen(200, json), seen(500, { "content-type": "text/html" }))).toEqual({ status: "200/500", headers: [], body: "" })
    expect(comparer({ status: false }).compare(seen(200, {}), seen(500, {}))).toBeNull()
  })

  test("fields: those of a list, all but some, none", () => {
    const [a, b] = [
      seen(200, { ...json, date: "1", etag: "1", "x-a": "1" }),
      seen(200, { "content-type": "text/plain", date: "2", "x-a": "2", "set-cookie": "s" }),
    ]
    expect(comparer({}).compare(a, b)?.headers).toEqual(["content-type"])
    expect(comparer({ headers: ["X-A"] }).compare(a, b)?.headers).toEqual(["x-a"])
    expect(comparer({ headers: { ignore: ["X-A"] } }).compare(a, b)?.headers).toEqual(["content-type", "etag"])
    expect(comparer({ headers: false }).compare(a, b)).toBeNull()
  })

  test("bodies: JSON by values, text by octets, without what is ignored and whatever their coding", () => {
    const bodies = (ignore: string[], a: string | Uint8Array, b: string | Uint8Array, codings = ["", ""]) =>
      comparer({ body: { ignore } }).compare(seen(200, { "content-encoding": codings[0]! }, a), seen(200, { "content-encoding": codings[1]! }, b))
        ?.body ?? ""
    expect(bodies([], '{"a":1,"b":[{"c":1}]}', '{ "b": [{"c": 1}], "a": 1 }')).toBe("")
    expect(bodies([], '{"a":1,"price":10}', '{"a":1,"price":11}')).toBe("$.price")
    expect(bodies(["$.price"], '{"a":1,"price":10}', '{"a":1,"price":11}')).toBe("")
    expect(bodies([], "one 12ms", "one 13ms")).toBe("octet 5")
    expect(bodies(["~[0-9]+ms"], "one 12ms", "one 13ms")).toBe("")
    expect(bodies([], gzipSync("same"), brotliCompressSync("same"), ["gzip", "br"])).toBe("")
    expect(bodies([], gzipSync('{"a":1}'), '{"a":2}', ["gzip", ""])).toBe("$.a")
    expect(bodies([], "no gzip", "same", ["gzip", ""])).toBe("octet 0")
    // A bomb is not unpacked.
    expect(bodies([], gzipSync(Buffer.alloc(4 * 1024 ** 2)), "same", ["gzip", ""])).toBe("octet 0")
    expect(comparer({}).compare(seen(200, {}, "a"), seen(200, {}, "b"))).toBeNull()
  })
})
