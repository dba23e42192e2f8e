import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { TYPE_CNAME, TYPE_HTTPS } from "./dns-message.ts"
import { alpnValue, DnsServer, encodeAnswer, encodeName, encodeRecord, httpsData } from "./dns-server.fixture.ts"
import { ResolverBench, until } from "./resolver.fixture.ts"

let bench: ResolverBench
let server: DnsServer
const folder = mkdtempSync(join(tmpdir(), "services-"))

beforeAll(async () => {
  bench = await ResolverBench.start()
  server = bench.server
})

afterEach(() => bench.closeAll())
afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true })
})

const h3 = [1, alpnValue("h3")] as const
const one = { priority: 1, target: "", alpn: ["h3", "http/1.1"], port: 0, hints: [] }

/** A file of the system, for a resolver to read. */
function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe("memory", () => {
  test("equal questions share one query, ports apart; who throws takes nothing from the others", async () => {
    const name = bench.fresh()
    for (const asked of [name, `_8443._https.${name}`]) server.say(asked, { https: [httpsData(1, "", [h3])], delayMs: 10 })
    const resolver = bench.make()
    resolver.services(name, 443, () => {
      throw new Error("broken")
    })
    const all = await Promise.all([...Array.from({ length: 9 }, () => bench.services(resolver, name)), bench.services(resolver, name, 8443)])
    expect(all.every(({ services, atOnce }) => services.length === 1 && !atOnce)).toBe(true)
    expect([server.count(name), server.count(`_8443._https.${name}`), resolver.pending]).toEqual([1, 1, 0])
    expect(bench.logged).toMatchObject([{ level: "error", fields: { origin: `${name}:443`, error: "Error: broken" } }])
  })

  test("a lifetime holds within its bounds", async () => {
    const name = bench.fresh()
    server.say(name, { https: [httpsData(1, "")], ttl: 5 })
    for (const [options, ms] of [
      [{}, 5000],
      [{ ttlMinMs: 20_000 }, 20_000],
      [{ ttlMaxMs: 3000 }, 3000],
    ] as const) {
      const resolver = bench.make(options)
      await bench.services(resolver, name)
      bench.clock.advance(ms - 1)
      expect((await bench.services(resolver, name)).atOnce).toBe(true)
      bench.clock.advance(1)
      expect((await bench.services(resolver, name)).atOnce).toBe(false)
    }
  })

  test("that there is nothing, or nobody could say, is remembered for negativeTtlMs or less", async () => {
    const [gone, empty, broken, silent, alias] = [bench.fresh(), bench.fresh(), bench.fresh(), bench.fresh(), bench.fresh()]
    server.say(empty, { a: ["127.0.0.1"], negativeTtl: 3 })
    server.say(broken, { rcode: 2 })
    server.say(silent, { silent: true })
    server.say(alias, { https: [httpsData(0, broken)], ttl: 1 })
    for (const [name, ms] of [
      [gone, 5000],
      [empty, 3000],
      [broken, 5000],
      [silent, 5000],
      [alias, 5000],
    ] as const) {
      const resolver = bench.make({ negativeTtlMs: 5000, timeoutMs: 20 })
      expect(await bench.services(resolver, name)).toEqual({ services: [], atOnce: false })
      bench.clock.advance(ms - 1)
      expect(await bench.services(resolver, name)).toEqual({ services: [], atOnce: true })
      bench.clock.advance(1)
      expect((await bench.services(resolver, name)).atOnce).toBe(false)
    }
  })

  test("is bounded, and is not that of addresses", async () => {
    const resolver = bench.make({ cacheMax: 4 })
    const kept = bench.fresh()
    server.say(kept, { a: ["127.0.0.1"], https: [httpsData(1, "")] })
    await bench.look(resolver, kept)
    await bench.services(resolver, kept)
    const names = Array.from({ length: 12 }, () => bench.fresh())
    for (const name of names) {
      server.say(name, { https: [httpsData(1, "")] })
      await bench.services(resolver, name)
      expect((await bench.services(resolver, kept)).atOnce).toBe(true)
    }
    expect([resolver.cached, (await bench.look(resolver, kept)).atOnce]).toEqual([1, true])
    const remembered = names.filter(name => {
      let atOnce = false
      resolver.services(name, 443, () => {
        atOnce = true
      })
      return atOnce
    })
    expect(remembered.length).toBe(3)
    await until(() => resolver.pending === 0)
  })
})

describe("who is not asked", () => {
  const unasked = "127.0.0.1 127.0.0.1. ::1 [::1] localhost a.localhost. a.invalid a.onion . a..b a.. 127.1 a/b listed.test LISTED.test.".split(" ")

  test("literals, special and impossible names, the hosts file and impossible ports give nothing at once", async () => {
    const resolver = bench.make({ hostsFile: file("hosts", "127.0.0.1 listed.test\n") })
    const before = server.queries.length
    for (const name of ["", ...unasked]) expect([name, await bench.services(resolver, name)]).toEqual([name, { services: [], atOnce: true }])
    for (const port of [0, -1, 65_536, 1.5, Number.NaN])
      expect(await bench.services(resolver, bench.fresh(), port)).toEqual({ services: [], atOnce: true })
    const longest = `${"a".repeat(49)}.${`${"b".repeat(50)}.`.repeat(4)}`.slice(0, -1)
    expect(await bench.services(resolver, longest, 8443)).toEqual({ services: [], atOnce: true })
    expect(server.queries.length).toBe(before)
    const alias = bench.fresh()
    server.say(alias, { https: [httpsData(0, "listed.test")] })
    expect((await bench.services(resolver, alias)).services).toEqual([])
    expect(server.count("listed.test")).toBe(0)
  })

  test("names are completed as for addresses: the next only when there is no such name as the one before", async () => {
    const [gone, there] = [bench.fresh(), bench.fresh()]
    const resolvConf = file("resolv.conf", `nameserver 127.0.0.1:${server.port}\nsearch a.test b.test\noptions ndots:5\n`)
    for (const name of [gone, there]) server.say(name, { https: [httpsData(1, "", [h3])] })
    server.say(`${there}.b.test`, { a: ["127.0.0.1"] })
    server.say(`_444._https.${gone}`, { https: [httpsData(1, "", [h3])] })
    const resolver = bench.make({ servers: undefined, resolvConf })
    expect((await bench.services(resolver, gone)).services).toEqual([one])
    expect([server.count(`${gone}.a.test`), server.count(`${gone}.b.test`), server.count(gone)]).toEqual([1, 1, 1])
    expect((await bench.services(resolver, there)).services).toEqual([])
    expect(server.count(there)).toBe(0)
    expect((await bench.services(resolver, `${there}.`)).services).toEqual([one])
    // Whether the completed name exists is not seen with a prefix.
    expect((await bench.services(resolver, gone, 444)).services).toEqual([])
    expect([server.count(`_444._https.${gone}.a.test`), server.count(`_444._https.${gone}`)]).toEqual([1, 0])
  })

  test("close gives nothing to those who wait and all who come later", async () => {
    const name = bench.fresh()
    server.say(name, { silent: true })
    const resolver = bench.make({ timeoutMs: 10_000 })
    const waiting = bench.services(resolver, name)
    await sleep(5)
    expect(resolver.pending).toBe(1)
    resolver.close()
    expect([await waiting, resolver.pending, await bench.services(resolver, name)]).toEqual([
      { services: [], atOnce: false },
      0,
      { services: [], atOnce: true },
    ])
  })
})

describe("look-ups of addresses are not disturbed", () => {
  test("services take only the room that is left; addresses do not wait for it", async () => {
    const resolver = bench.make({ lookupsMax: 2 })
    const [first, second, third, fourth] = [bench.fresh(), bench.fresh(), bench.fresh(), bench.fresh()]
    for (const name of [first, second, third, fourth]) server.say(name, { a: ["127.0.0.1"], https: [httpsData(1, "", [h3])], delayMs: 20 })
    const early = [bench.services(resolver, first), bench.services(resolver, second)]
    expect(await bench.services(resolver, third)).toEqual({ services: [], atOnce: true })
    const addresses = [bench.look(resolver, third), bench.look(resolver, fourth)]
    expect((await Promise.all(addresses)).map(result => result.code)).toEqual(["", ""])
    expect((await Promise.all(early)).map(({ services }) => services)).toEqual([[one], [one]])
    const look = [bench.look(resolver, bench.fresh()), bench.look(resolver, bench.fresh())]
    expect(await bench.services(resolver, fourth)).toEqual({ services: [], atOnce: true })
    await Promise.all(look)
    expect((await bench.services(resolver, fourth)).services).toEqual([one])
  })

  test("a server that swallows or refuses the type stays first, with EDNS", async () => {
    const own = await DnsServer.start()
    const [swallowed, refused] = [bench.fresh(), bench.fresh()]
    own.say(swallowed, { a: ["127.0.0.1"], silent: "https" })
    own.say(refused, { a: ["127.0.0.1"], rcode: { https: 4 } })
    server.say(swallowed, { https: [httpsData(1, "", [h3])] })
    server.say(refused, { https: [httpsData(1, "", [h3])] })
    const resolver = bench.make({ servers: [own.address, server.address], timeoutMs: 60 })
    for (const name of [swallowed, refused]) expect((await bench.services(resolver, name)).services).toEqual([one])
    expect(own.queries.filter(query => query.name === refused).map(query => query.edns)).toEqual([true, false])
    expect((await bench.look(resolver, refused)).addresses).toEqual(["127.0.0.1"])
    expect(own.queries.slice(-2).map(({ name, edns }) => [name, edns])).toEqual([
      [refused, true],
      [refused, true],
    ])
    expect(server.count(refused, "A")).toBe(0)
    own.stop()
  })
})

describe("forged answers", () => {
  const evil = (query: Uint8Array, name: string) =>
    encodeAnswer(query, { flags: 0x8180, answers: [encodeRecord(name, TYPE_HTTPS, 60, httpsData(1, "evil.test"))], authorities: [] })

  test("another id, another question and what was not asked for are not believed", async () => {
    const name = bench.fresh()
    server.say(name, {
      forge: query => {
        const otherId = evil(query, name)
        otherId[1]! ^= 1
        const otherType = evil(query, name)
        otherType[query.indexOf(0, 12) + 2] = 1
        const answers = [
          encodeRecord("x.test", TYPE_HTTPS, 60, httpsData(1, "evil.test")),
          encodeRecord(name, TYPE_CNAME, 60, encodeName(`x.${name}`)),
          encodeRecord(`x.${name}`, TYPE_HTTPS, 60, httpsData(1, "", [h3])),
        ]
        return [otherId, otherType, query, encodeAnswer(query, { flags: 0x8180, answers, authorities: [] })]
      },
    })
    expect((await bench.services(bench.make(), name)).services).toEqual([one])
  })

  test("a flood of guesses makes the query go over TCP", async () => {
    const name = bench.fresh()
    server.say(name, {
      https: [httpsData(1, "", [h3])],
      forge: (query, answer) => {
        if (server.queries.at(-1)!.transport === "tcp") return [answer]
        return Array.from({ length: 8 }, (_, i) => {
          const guess = evil(query, name)
          guess[0]! ^= i + 1
          return guess
        })
      },
    })
    expect((await bench.services(bench.make({ timeoutMs: 2000 }), name)).services).toEqual([one])
    expect(server.queries.filter(query => query.name === name).map(query => query.transport)).toEqual(["udp", "tcp"])
  })
})
