import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { DnsServer } from "./dns-server.fixture.ts"
import { Resolver } from "./resolver.ts"
import { ResolverBench, until } from "./resolver.fixture.ts"

let bench: ResolverBench
let server: DnsServer

beforeAll(async () => {
  bench = await ResolverBench.start()
  server = bench.server
})

afterEach(() => bench.closeAll())
afterAll(() => server.stop())

describe("when the name servers fail", () => {
  test("SERVFAIL keeps the last good answer for staleForMs, and nobody waits for it twice", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], aaaa: ["::2"], ttl: 1 })
    const resolver = bench.make({ staleForMs: 5000 })
    await bench.look(resolver, name)
    server.say(name, { rcode: 2 })
    bench.clock.advance(1000)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["::2", "127.0.0.2"], expiresIn: 1000, atOnce: false })
    expect(bench.logged).toMatchObject([{ level: "warn", fields: { name, error: `${server.address}: SERVFAIL` } }])
    bench.clock.advance(1500)
    const asked = server.count(name, "A")
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["::2", "127.0.0.2"], atOnce: true })
    await until(() => resolver.pending === 0)
    expect(server.count(name, "A")).toBe(asked + 1)
    bench.clock.advance(3500)
    expect((await bench.look(resolver, name)).error).toMatchObject({
      code: "failed",
      message: `"${name}" does not resolve: ${server.address}: SERVFAIL`,
    })
    server.say(name, { a: ["127.0.0.3"], ttl: 1 })
    bench.clock.advance(1000)
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.3"])
  })

  test("a server that cannot be reached fails the look-up and nothing else", async () => {
    const name = bench.fresh()
    // No socket is connected to the broadcast address without asking for it, wherever this runs.
    const unreachable = "255.255.255.255:53"
    const { error } = await bench.look(bench.make({ servers: [unreachable] }), name)
    expect(error).toMatchObject({ code: "failed", message: expect.stringContaining(`"${name}" does not resolve: ${unreachable}: `) })
    server.say(name, { a: ["127.0.0.2"], ttl: 1 })
    expect((await bench.look(bench.make({ servers: [unreachable, server.address] }), name)).addresses).toEqual(["127.0.0.2"])
  })

  test("a failure is logged for those who want it; that there is no such name is none", async () => {
    const [broken, absent] = [bench.fresh(), bench.fresh()]
    server.say(broken, { rcode: 2 })
    server.say(absent, { rcode: 3 })
    const quiet = bench.make()
    await bench.look(quiet, broken)
    expect(bench.logged).toEqual([])
    const telling = bench.make({ tellsFailures: true })
    await bench.look(telling, absent)
    await bench.look(telling, broken)
    expect(bench.logged).toMatchObject([{ level: "warn", fields: { reason: `"${broken}" does not resolve: ${server.address}: SERVFAIL` } }])
  })

  test("after the failure the new answer is found within a second", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], ttl: 1 })
    const resolver = bench.make()
    await bench.look(resolver, name)
    server.say(name, { rcode: 2 })
    bench.clock.advance(1000)
    await bench.look(resolver, name)
    server.say(name, { a: ["127.0.0.3"], ttl: 1 })
    bench.clock.advance(1000)
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.2"])
    await until(() => resolver.pending === 0)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.3"], atOnce: true })
  })

  test("silence keeps it too: who waits gets it when patience ends, long before all attempts are over", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], ttl: 1 })
    const resolver = bench.make({ timeoutMs: 60, attempts: 20 })
    await bench.look(resolver, name)
    server.say(name, { silent: true })
    bench.clock.advance(1000)
    const started = performance.now()
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.2"])
    expect(performance.now() - started).toBeLessThan(500)
    expect(resolver.pending).toBe(1)
    expect((await bench.look(resolver, name)).atOnce).toBe(true)
  })

  test("without an answer from before it is a timeout, after every attempt", async () => {
    const name = bench.fresh()
    server.say(name, { silent: true })
    const result = await bench.look(bench.make({ timeoutMs: 30, attempts: 3 }), name)
    expect(result.error).toMatchObject({ code: "timeout", message: `"${name}" does not resolve: ${server.address}: no answer within 30 ms` })
    expect([server.count(name, "A"), server.count(name, "AAAA"), result.expiresIn]).toEqual([3, 3, 1000])
  })

  test("NXDOMAIN is an answer: the old addresses go", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], ttl: 1 })
    const resolver = bench.make()
    await bench.look(resolver, name)
    server.say(name, null)
    bench.clock.advance(1000)
    expect(await bench.look(resolver, name)).toMatchObject({ code: "no-name", addresses: [] })
  })

  test("an address that the answer no longer has is gone; a new one is there; order alone changes nothing", async () => {
    const name = bench.fresh()
    const resolver = bench.make()
    const sets: string[][] = []
    for (const a of [["127.0.0.2"], ["127.0.0.2", "127.0.0.3"], ["127.0.0.3", "127.0.0.2"], ["127.0.0.3"]]) {
      server.say(name, { a, ttl: 1 })
      sets.push([...(await bench.look(resolver, name)).addresses].sort())
      bench.clock.advance(1000)
    }
    expect(sets).toEqual([["127.0.0.2"], ["127.0.0.2", "127.0.0.3"], ["127.0.0.2", "127.0.0.3"], ["127.0.0.3"]])
  })

  test("one family fails: the other's new addresses and its own old ones", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], aaaa: ["::2"], ttl: 1 })
    const resolver = bench.make()
    await bench.look(resolver, name)
    server.say(name, { a: ["127.0.0.3"], rcode: { aaaa: 2 }, ttl: 50 })
    bench.clock.advance(1000)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["::2", "127.0.0.3"], expiresIn: 1000 })
  })

  test("a server that swallows AAAA costs 50 ms, not a timeout (RFC 8305 section 3)", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], silent: "aaaa" })
    const resolver = bench.make({ timeoutMs: 400 })
    const started = performance.now()
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.2"])
    expect(performance.now() - started).toBeGreaterThanOrEqual(45)
    expect(performance.now() - started).toBeLessThan(300)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.2"], expiresIn: 60_000, atOnce: true })
    await until(() => resolver.pending === 0)
    expect(await bench.look(resolver, name)).toMatchObject({ addresses: ["127.0.0.2"], atOnce: true })
  })

  test("NXDOMAIN for one family and addresses for the other: there are addresses (RFC 4074)", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.2"], rcode: { aaaa: 3 } })
    expect((await bench.look(bench.make(), name)).addresses).toEqual(["127.0.0.2"])
  })
})

describe("several servers", () => {
  test("a closed port, a refusal and a malformed answer each lead to the next server at once", async () => {
    const broken = await DnsServer.start()
    const [refused, malformed, down] = [bench.fresh(), bench.fresh(), bench.fresh()]
    broken.say(refused, { rcode: 5 })
    broken.say(malformed, { forge: (_query, answer) => [answer.subarray(0, answer.length - 3)] })
    for (const name of [refused, malformed, down]) server.say(name, { a: ["127.0.0.1"] })
    const resolver = bench.make({ servers: [broken.address, server.address], timeoutMs: 5000, attempts: 3 })
    const started = performance.now()
    expect((await bench.look(resolver, refused)).addresses).toEqual(["127.0.0.1"])
    expect((await bench.look(resolver, malformed)).addresses).toEqual(["127.0.0.1"])
    expect(broken.count(refused, "A")).toBe(1)
    broken.stop()
    expect((await bench.look(resolver, down)).addresses).toEqual(["127.0.0.1"])
    expect(performance.now() - started).toBeLessThan(1500)
  })

  test("a silent server costs one timeout and then comes last", async () => {
    const silent = await DnsServer.start()
    silent.silence(true)
    const [first, second] = [bench.fresh(), bench.fresh()]
    for (const name of [first, second]) server.say(name, { a: ["127.0.0.1"] })
    const resolver = bench.make({ servers: [silent.address, server.address], timeoutMs: 60 })
    expect((await bench.look(resolver, first)).addresses).toEqual(["127.0.0.1"])
    expect((await bench.look(resolver, second)).addresses).toEqual(["127.0.0.1"])
    expect([silent.count(first, "A"), silent.count(second, "A")]).toEqual([1, 0])
    silent.stop()
  })

  test("an IPv6 server, on the loopback", async () => {
    const name = bench.fresh()
    const resolver = bench.make({ servers: [`[::1]:${server.port}`], timeoutMs: 50 })
    expect((await bench.look(resolver, name)).code).toMatch(/^(failed|timeout)$/)
  })

  test("a server is an address", () => {
    for (const text of ["dns.test:53", "127.1", "unix:/x", "127.0.0.1:0", ""])
      expect(() => new Resolver({ servers: [text] })).toThrow(/expected|four decimal numbers|a port/)
    expect(() => new Resolver({ servers: [] })).toThrow("expected at least one name server")
  })
})
