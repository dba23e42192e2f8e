import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { alpnValue, type DnsServer, httpsData } from "./dns-server.fixture.ts"
import { ResolverBench } from "./resolver.fixture.ts"

let bench: ResolverBench
let server: DnsServer

beforeAll(async () => {
  bench = await ResolverBench.start()
  server = bench.server
})

afterEach(() => bench.closeAll())
afterAll(() => server.stop())

const ALPN = 1
const PORT = 3
const IPV4_HINT = 4
const h3 = [ALPN, alpnValue("h3")] as const
const one = { priority: 1, target: "", alpn: ["h3", "http/1.1"], port: 0, hints: [] }
const behind = { priority: 65_536, alpn: ["http/1.1"], port: 0, hints: [] }

describe("what records say", () => {
  test("best first, with all that they say; what they insist on and we do not know is passed over", async () => {
    const name = bench.fresh()
    server.say(name, {
      https: [
        httpsData(9, "b.test", [
          [PORT, [31, 144]],
          [IPV4_HINT, [192, 0, 2, 9]],
        ]),
        httpsData(2, "c.test", [
          [0, [2, 155]],
          [667, []],
        ]),
        httpsData(1, "", [h3]),
        httpsData(4, name, [h3, [5, [1, 2, 3]]]),
      ],
    })
    expect((await bench.services(bench.make(), name.toUpperCase())).services).toEqual([
      one,
      { ...one, priority: 4 },
      { priority: 9, target: "b.test", alpn: ["http/1.1"], port: 8080, hints: ["192.0.2.9"] },
    ])
    expect([server.count(name, "HTTPS"), server.count(name)]).toEqual([1, 1])
  })

  test("records of one priority come in any order", async () => {
    const name = bench.fresh()
    server.say(name, { https: ["a.test", "b.test", "c.test"].map(target => httpsData(1, target)), ttl: 0 })
    const resolver = bench.make()
    const firsts = new Set<string>()
    for (let i = 0; i < 60; i++) firsts.add((await bench.services(resolver, name)).services[0]!.target)
    expect(firsts.size).toBe(3)
  })

  test("one malformed record spoils all (RFC 9460 section 2.2), and the lifetime holds for that", async () => {
    const name = bench.fresh()
    server.say(name, { https: [httpsData(1, "", [h3]), httpsData(2, "", [[PORT, [1]]])], ttl: 10 })
    const resolver = bench.make()
    expect(await bench.services(resolver, name)).toEqual({ services: [], atOnce: false })
    bench.clock.advance(9999)
    expect(await bench.services(resolver, name)).toEqual({ services: [], atOnce: true })
  })

  test("another port has a name of its own, whose records mean it with the root (RFC 9460 sections 9.1 and 2.5.2)", async () => {
    const name = bench.fresh()
    const own = `_8443._https.${name}`
    server.say(name, { https: [httpsData(1, "", [h3])] })
    server.say(own, { https: [httpsData(1, name), httpsData(2, "")] })
    const resolver = bench.make()
    expect((await bench.services(resolver, name, 8443)).services.map(service => service.target)).toEqual(["", own])
    expect((await bench.services(resolver, name)).services).toEqual([one])
    expect([server.count(name, "HTTPS"), server.count(own, "HTTPS")]).toEqual([1, 1])
  })

  test("targets that nobody may look up are passed over", async () => {
    const name = bench.fresh()
    const targets = ["localhost", "a.localhost", "a.onion", "invalid", "127.0.0.1", "127.1", "a b.test", "-a.test", "good.test"]
    server.say(name, { https: targets.map((target, at) => httpsData(at + 1, target)) })
    expect((await bench.services(bench.make(), name)).services.map(service => service.target)).toEqual(["good.test"])
  })

  test("no more than 16 are given", async () => {
    const name = bench.fresh()
    server.say(name, { https: Array.from({ length: 40 }, (_, i) => httpsData(40 - i, "")) })
    expect((await bench.services(bench.make(), name)).services.map(service => service.priority)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1))
  })

  test("a truncated answer is asked for again over TCP", async () => {
    const name = bench.fresh()
    server.say(name, { https: [httpsData(1, "", [h3])], truncated: true })
    expect((await bench.services(bench.make(), name)).services).toEqual([one])
    expect(server.queries.filter(query => query.name === name).map(query => query.transport)).toEqual(["udp", "tcp"])
  })
})

describe("aliases", () => {
  test("are followed to records, without a prefix; their end itself comes last (RFC 9460 section 3)", async () => {
    const [name, pool] = [bench.fresh(), bench.fresh()]
    server.say(`_444._https.${name}`, { https: [httpsData(0, pool), httpsData(1, "", [h3])], ttl: 30 })
    server.say(pool, { https: [httpsData(7, "", [h3]), httpsData(8, name)], ttl: 90 })
    const resolver = bench.make()
    expect((await bench.services(resolver, name, 444)).services).toEqual([
      { ...one, priority: 7, target: pool },
      { priority: 8, target: "", alpn: ["http/1.1"], port: 0, hints: [] },
      { ...behind, target: pool },
    ])
    bench.clock.advance(29_999)
    expect((await bench.services(resolver, name, 444)).atOnce).toBe(true)
    bench.clock.advance(1)
    expect((await bench.services(resolver, name, 444)).atOnce).toBe(false)
  })

  test("to a name without records: its addresses serve", async () => {
    const [name, pool] = [bench.fresh(), bench.fresh()]
    server.say(name, { https: [httpsData(0, pool)] })
    server.say(pool, { a: ["127.0.0.1"] })
    expect((await bench.services(bench.make(), name)).services).toEqual([{ ...behind, target: pool }])
  })

  test("of CNAME: the root is their end, which for the origin's own name changes nothing", async () => {
    const [name, alias, end] = [bench.fresh(), bench.fresh(), bench.fresh()]
    server.say(end, { https: [httpsData(1, "", [h3])] })
    server.say(name, { cname: end })
    server.say(alias, { https: [httpsData(0, name)] })
    const resolver = bench.make()
    expect((await bench.services(resolver, name)).services).toEqual([one])
    expect((await bench.services(resolver, alias)).services).toEqual([
      { ...one, target: end },
      { ...behind, target: name },
    ])
  })

  test("a loop, too many, an end that is not there, the root and names that nobody may ask for give nothing", async () => {
    const [loop, gone, none] = [bench.fresh(), bench.fresh(), bench.fresh()]
    server.say(loop, { https: [httpsData(0, loop)] })
    server.say(gone, { https: [httpsData(0, `x.${gone}`)] })
    server.say(none, { https: [httpsData(0, "")] })
    const resolver = bench.make()
    for (const name of [loop, gone, none]) expect([name, (await bench.services(resolver, name)).services]).toEqual([name, []])
    expect([server.count(loop), server.count(`x.${gone}`)]).toEqual([5, 1])
    for (const target of ["localhost", "a.onion", "127.0.0.1"]) {
      const name = bench.fresh()
      server.say(name, { https: [httpsData(0, target)] })
      expect((await bench.services(resolver, name)).services).toEqual([])
      expect(server.count(target)).toBe(0)
    }
  })
})
