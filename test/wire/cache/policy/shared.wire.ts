import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../../support/bothways.ts"
import { freePorts } from "../../../support/ports.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { recorder } from "../../../support/recorder.ts"
import { answer, ask } from "../cached-origin.ts"

// One cache for several routes, several caches, and who shares what is stored.

const counts = new Map<string, number>()
const origin = async (name: string) =>
  await recorder(({ start }) => {
    const key = `${name} ${start.split(" ")[1]}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    return answer(`${name} ${counts.get(key)}`, ["Cache-Control: max-age=600"])
  })
const [one, two] = [await origin("one"), await origin("two")]
const ports = (await freePorts(5)) as [number, number, number, number, number]
const [first, second, trusting, egress, wayOut] = ports
const site = `127.0.0.1:${one.port}`

const cache = (store = "main"): object[] => [{ cache: { store } }]
const keyed = (key: object): object[] => [{ cache: { store: "main", key } }]
const web = ["first", "second"]
const config: object = {
  listeners: {
    first: { bind: `127.0.0.1:${first}` },
    second: { bind: `127.0.0.1:${second}` },
    trusting: { bind: `127.0.0.1:${trusting}`, trustedHops: ["10.0.0.0/8"] },
    egress: { bind: `127.0.0.1:${egress}`, forward: { privateRanges: "allow" } },
    "way-out": { bind: `127.0.0.1:${wayOut}`, forward: { privateRanges: "allow" } },
  },
  clusters: { one: { peers: [one.address] }, two: { peers: [two.address] } },
  caches: { main: { memory: "8MB" }, other: { memory: "8MB" } },
  routes: [
    { match: { listener: "egress" }, filters: cache(), to: { origin: {} } },
    { match: { listener: "way-out" }, filters: cache(), to: { origin: {} } },
    { match: { listener: "trusting" }, filters: cache(), to: { cluster: "one" } },
    { match: { listener: web, path: "/moved", header: { "x-to": "two" } }, filters: cache(), to: { cluster: "two" } },
    { match: { listener: web, header: { "x-other": true } }, filters: cache("other"), to: { cluster: "one" } },
    { match: { listener: web, header: { "x-kind": true } }, filters: keyed({ headers: ["X-Kind"] }), to: { cluster: "one" } },
    { match: { listener: web, cookie: { kind: true } }, filters: keyed({ cookies: ["kind"] }), to: { cluster: "one" } },
    { match: { listener: web, header: { "sec-ch-ua-mobile": true } }, filters: keyed({ device: true }), to: { cluster: "one" } },
    { match: { listener: web, header: { "x-again": true } }, filters: cache(), to: { cluster: "one" } },
    { match: { listener: web }, filters: cache(), to: { cluster: "one" } },
  ],
}
const proxy: Bothways = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await one[Symbol.asyncDispose]()
  await two[Symbol.asyncDispose]()
})

const reverse = async (target: string, { port = first, fields = [] as string[] } = {}): Promise<string> =>
  (await ask(port, target, [`Host: ${site}`, ...fields])).body

async function forward(target: string, port = egress): Promise<string> {
  using client = await rawClient(port)
  client.send(`GET http://${site}${target} HTTP/1.1\r\nHost: ${site}\r\n\r\n`)
  return (await client.response()).body
}

describe("shared", () => {
  test("two listeners and two routes to one cluster: one page", async () => {
    expect([await reverse("/s"), await reverse("/s", { port: second }), await reverse("/s", { fields: ["X-Again: 1"] })]).toEqual([
      "one 1",
      "one 1",
      "one 1",
    ])
  })

  test("two forward listeners: one page", async () => {
    expect([await forward("/f"), await forward("/f", wayOut)]).toEqual(["one 1", "one 1"])
  })

  test("reverse and forward: a page each, in the same cache", async () => {
    expect([await reverse("/both"), await forward("/both"), await reverse("/both"), await forward("/both")]).toEqual([
      "one 1",
      "one 2",
      "one 1",
      "one 2",
    ])
  })

  test("of another cluster: a page of its own", async () => {
    const two_ = { fields: ["X-To: two"] }
    expect([await reverse("/moved"), await reverse("/moved", two_), await reverse("/moved"), await reverse("/moved", two_)]).toEqual([
      "one 1",
      "two 1",
      "one 1",
      "two 1",
    ])
  })

  test("routes to one cluster with keys of different kinds: a page each", async () => {
    const fields = [["X-Kind: phone"], ["Cookie: kind=phone"], ["Sec-CH-UA-Mobile: ?1"]]
    const bodies: string[] = []
    for (const each of [...fields, ...fields]) bodies.push(await reverse("/kinds", { fields: each }))
    expect(bodies).toEqual(["one 1", "one 2", "one 3", "one 1", "one 2", "one 3"])
  })

  test("a listener that believes what hops say of clients has pages of its own: servers answer it otherwise", async () => {
    expect([await reverse("/hops"), await reverse("/hops", { port: trusting }), await reverse("/hops")]).toEqual(["one 1", "one 2", "one 1"])
  })

  test("what one route changes is gone from all that have it", async () => {
    for (const fetch of [reverse, forward]) await fetch("/changed")
    expect((await ask(second, "/changed", [`Host: ${site}`, "Content-Length: 0"], "POST")).status).toBe(200)
    expect([await reverse("/changed"), await forward("/changed")]).toEqual(["one 4", "one 5"])
  })
})

describe("two caches", () => {
  test("neither has what the other has, and each is purged by itself", async () => {
    const other = { fields: ["X-Other: 1"] }
    expect([await reverse("/two-caches"), await reverse("/two-caches", other), await reverse("/two-caches", other)]).toEqual([
      "one 1",
      "one 2",
      "one 2",
    ])
    const purged = await proxy.ask(`/cache/purge?${new URLSearchParams({ cache: "other", url: `http://${site}/two-caches` })}`, {
      method: "POST",
      headers: { "x-bothways": "1" },
    })
    expect(await purged.json()).toEqual({ purged: 1, caches: { other: { memory: 1, disk: 0 } } })
    expect([await reverse("/two-caches"), await reverse("/two-caches", other)]).toEqual(["one 1", "one 3"])
  })
})
