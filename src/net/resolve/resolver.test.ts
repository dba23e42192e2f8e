import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { DnsServer } from "./dns-server.fixture.ts"
import { ResolverBench } from "./resolver.fixture.ts"

let bench: ResolverBench
let server: DnsServer

beforeAll(async () => {
  bench = await ResolverBench.start()
  server = bench.server
})

afterEach(() => bench.closeAll())
afterAll(() => server.stop())

describe("answers", () => {
  test("both families come in turn, IPv6 first (RFC 8305)", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1", "127.0.0.2", "127.0.0.3"], aaaa: ["2001:db8::1"] })
    expect((await bench.look(bench.make(), name)).addresses).toEqual(["2001:db8::1", "127.0.0.1", "127.0.0.2", "127.0.0.3"])
  })

  test("over aliases", async () => {
    const name = bench.fresh()
    server.say(name, { cname: `a.${name}`, ttl: 30 })
    server.say(`a.${name}`, { a: ["127.0.0.9"], ttl: 90 })
    expect(await bench.look(bench.make(), name)).toMatchObject({ addresses: ["127.0.0.9"], expiresIn: 30_000 })
  })

  test("upper case and a final dot are the same name for the server", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1"] })
    const resolver = bench.make()
    expect((await bench.look(resolver, name.toUpperCase())).addresses).toEqual(["127.0.0.1"])
    expect((await bench.look(resolver, name)).atOnce).toBe(true)
    expect((await bench.look(resolver, `${name}.`)).addresses).toEqual(["127.0.0.1"])
  })

  test("a truncated answer is asked for again over TCP", async () => {
    const name = bench.fresh()
    const many = Array.from({ length: 100 }, (_, i) => `127.0.1.${i}`)
    server.say(name, { a: many, truncated: true })
    expect((await bench.look(bench.make(), name)).addresses).toEqual(many)
    expect(server.queries.filter(query => query.name === name && query.type === "A").map(query => query.transport)).toEqual(["udp", "tcp"])
  })

  test("equal look-ups share one query", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1"], delayMs: 10 })
    const resolver = bench.make()
    const all = await Promise.all([...Array.from({ length: 20 }, () => bench.look(resolver, name)), bench.refresh(resolver, name)])
    expect(all.every(result => result.addresses[0] === "127.0.0.1" && !result.atOnce)).toBe(true)
    expect([server.count(name, "A"), server.count(name, "AAAA")]).toEqual([1, 1])
  })

  test("one who throws does not take the answer from the others", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1"] })
    const resolver = bench.make()
    resolver.lookup(name, () => {
      throw new Error("broken")
    })
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.1"])
    expect(bench.logged).toMatchObject([{ level: "error", room: "net", fields: { name, error: "Error: broken" } }])
  })

  test("a server that does not know EDNS is asked without", async () => {
    const name = bench.fresh()
    const own = await DnsServer.start()
    own.say(name, {
      a: ["127.0.0.1"],
      forge: (query, answer) => [query[11] === 1 ? Uint8Array.of(query[0]!, query[1]!, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0) : answer],
    })
    const resolver = bench.make({ servers: [own.address] })
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.1"])
    expect(own.queries.filter(query => query.type === "A").map(query => query.edns)).toEqual([true, false])
    await bench.refresh(resolver, name)
    expect(own.queries.at(-1)!.edns).toBe(false)
    own.stop()
  })
})

describe("lifetimes", () => {
  test("an answer is remembered for its lifetime, and called back at once", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], ttl: 10 })
    const resolver = bench.make()
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.2"], expiresIn: 10_000, atOnce: false })
    bench.clock.advance(9999)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.2"], expiresIn: 1, atOnce: true })
    expect(server.count(name)).toBe(2)
    server.say(name, { a: ["127.0.0.3"], ttl: 10 })
    bench.clock.advance(1)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.3"], atOnce: false })
  })

  test("the shorter of the two families counts, within the bounds", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1"], ttl: 5 })
    expect((await bench.look(bench.make({ ttlMinMs: 20_000 }), name)).expiresIn).toBe(20_000)
    expect((await bench.look(bench.make({ ttlMaxMs: 3000 }), name)).expiresIn).toBe(3000)
    server.say(name, { a: ["127.0.0.1"], ttl: 100_000 })
    expect((await bench.look(bench.make(), name)).expiresIn).toBe(3_600_000)
  })

  test("lifetime 0 is asked for each time", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1"], ttl: 0 })
    const resolver = bench.make()
    await bench.look(resolver, name)
    expect((await bench.look(resolver, name)).atOnce).toBe(false)
    expect(server.count(name, "A")).toBe(2)
  })

  test("refresh asks in spite of a fresh answer, and all use what it brings", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"] })
    const resolver = bench.make()
    await bench.look(resolver, name)
    server.say(name, { a: ["127.0.0.3"] })
    expect((await bench.refresh(resolver, name)).addresses).toEqual(["127.0.0.3"])
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.3"], atOnce: true })
  })

  test("that there is nothing is remembered for negativeTtlMs or less", async () => {
    const gone = bench.fresh()
    const empty = bench.fresh()
    server.say(empty, { negativeTtl: 3 })
    const resolver = bench.make({ negativeTtlMs: 5000 })
    expect(await bench.look(resolver, gone)).toMatchObject({ code: "no-name", addresses: [], expiresIn: 5000 })
    expect(await bench.look(resolver, empty)).toMatchObject({ code: "no-address", expiresIn: 3000 })
    expect((await bench.look(resolver, gone)).error!.message).toBe(`"${gone}" does not resolve: there is no such name, says ${server.address}`)
    expect(server.count(gone)).toBe(2)
    bench.clock.advance(5000)
    server.say(gone, { a: ["127.0.0.1"] })
    expect((await bench.look(resolver, gone)).addresses).toEqual(["127.0.0.1"])
  })

  test("the cache is bounded; what is used stays", async () => {
    const resolver = bench.make({ cacheMax: 8 })
    const kept = bench.fresh()
    server.say(kept, { a: ["127.0.0.1"] })
    await bench.look(resolver, kept)
    for (let i = 0; i < 30; i++) {
      const name = bench.fresh()
      server.say(name, { a: ["127.0.0.1"] })
      await bench.look(resolver, name)
      expect((await bench.look(resolver, kept)).atOnce).toBe(true)
    }
    expect(resolver.cached).toBe(8)
    expect(server.count(kept, "A")).toBe(1)
  })
})

describe("bounds and ends", () => {
  test("names that cannot be asked for are refused at once, without a query", async () => {
    const resolver = bench.make()
    const before = server.queries.length
    for (const name of [
      "",
      ".",
      "a..b",
      "-a.test",
      "a b.test",
      "a/b",
      "127.1",
      "0x7f000001",
      "2130706433",
      "0177.0.0.1",
      "bücher.test",
      "a\0.test",
      "[::1",
      "fe80::1%eth0",
      "*.test",
      `${"a".repeat(64)}.test`,
      `${"a.".repeat(127)}test`,
    ]) {
      expect([name, await bench.look(resolver, name)]).toMatchObject([name, { code: "bad-name", atOnce: true, addresses: [] }])
    }
    expect([server.queries.length, resolver.cached]).toEqual([before, 0])
  })

  test("only so many names are asked for at a time", async () => {
    const resolver = bench.make({ lookupsMax: 2 })
    const [first, second, third] = [bench.fresh(), bench.fresh(), bench.fresh()]
    for (const name of [first, second, third]) server.say(name, { a: ["127.0.0.1"], delayMs: 20 })
    const early = [bench.look(resolver, first), bench.look(resolver, second), bench.look(resolver, first)]
    expect(await bench.look(resolver, third)).toMatchObject({ code: "busy", atOnce: true })
    expect((await Promise.all(early)).map(result => result.code)).toEqual(["", "", ""])
    expect((await bench.look(resolver, third)).addresses).toEqual(["127.0.0.1"])
  })

  test("close answers those who wait and all who come later", async () => {
    const name = bench.fresh()
    server.say(name, { silent: true })
    const resolver = bench.make({ timeoutMs: 10_000 })
    const waiting = [bench.look(resolver, name), bench.look(resolver, name)]
    await sleep(5)
    resolver.close()
    expect((await Promise.all(waiting)).map(result => result.code)).toEqual(["closed", "closed"])
    expect([resolver.pending, (await bench.look(resolver, name)).code, (await bench.look(resolver, "127.0.0.1")).code]).toEqual([
      0,
      "closed",
      "closed",
    ])
  })

  test("an idle resolver keeps no process alive", async () => {
    const script = `
      import { DnsServer } from ${JSON.stringify(`${import.meta.dirname}/dns-server.fixture.ts`)}
      import { Resolver } from ${JSON.stringify(`${import.meta.dirname}/resolver.ts`)}
      const server = await DnsServer.start()
      server.say("a.test", { a: ["127.0.0.1"], truncated: true })
      const resolver = new Resolver({ servers: [server.address] })
      resolver.lookup("a.test", (error, addresses) => {
        console.log(error, addresses[0].address)
        server.stop()
      })`
    const { stdout, status } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 3000 })
    expect([status, stdout]).toEqual([0, "null 127.0.0.1\n"])
  })
})
