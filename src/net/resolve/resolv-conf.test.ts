import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FakeClock } from "../../base/index.ts"
import { DnsServer } from "./dns-server.fixture.ts"
import { NameServers } from "./name-servers.ts"
import { parseResolvConf, searchOrder } from "./resolv-conf.ts"
import { Resolver } from "./resolver.ts"

describe("parseResolvConf", () => {
  test("servers, search and options", () => {
    const text =
      "# by hand\nnameserver 192.0.2.53\nnameserver\t2001:db8::53 ; second\nnameserver fe80::1%eth0\nnameserver dns.test\nsearch a.test b.test.\noptions ndots:5 timeout:3 attempts:4 rotate\n"
    expect(parseResolvConf(text)).toEqual({
      servers: ["192.0.2.53", "2001:db8::53", "fe80::1%eth0"],
      search: ["a.test", "b.test"],
      ndots: 5,
      timeoutMs: 3000,
      attempts: 4,
    })
  })

  test("an empty file means the machine itself", () => {
    expect(parseResolvConf("")).toEqual({ servers: ["127.0.0.1"], search: [], ndots: 1, timeoutMs: null, attempts: null })
  })

  test("the last of search and domain counts, and values have bounds", () => {
    expect(parseResolvConf("search a.test\ndomain B.test\noptions ndots:99 timeout:0 attempts:99\noptions ndots:x\n")).toMatchObject({
      search: ["b.test"],
      ndots: 15,
      timeoutMs: 1000,
      attempts: 5,
    })
    expect(parseResolvConf(Array.from({ length: 20 }, (_, i) => `nameserver 10.0.0.${i}`).join("\n")).servers.length).toBe(8)
  })
})

describe("NameServers", () => {
  test("reads addresses as resolv.conf and as the config write them", () => {
    const texts = ["192.0.2.53", "127.0.0.1:5353", "2001:db8::53", "[::1]:54", "fe80::1%eth0"]
    expect(new NameServers(texts).inOrder().map(server => [server.host, server.port])).toEqual([
      ["192.0.2.53", 53],
      ["127.0.0.1", 5353],
      ["2001:db8::53", 53],
      ["::1", 54],
      ["fe80::1%eth0", 53],
    ])
  })
})

describe("searchOrder", () => {
  const conf = { search: ["a.test", "b.test"], ndots: 2 }
  const cases: [name: string, order: string[]][] = [
    ["app", ["app.a.test", "app.b.test", "app"]],
    ["app.ns", ["app.ns.a.test", "app.ns.b.test", "app.ns"]],
    ["app.ns.svc", ["app.ns.svc", "app.ns.svc.a.test", "app.ns.svc.b.test"]],
    ["app.", ["app"]],
    ["x".repeat(250), ["x".repeat(250)]],
  ]
  for (const [name, order] of cases) test(name.slice(0, 20), () => expect(searchOrder(name, conf)).toEqual(order))
})

describe("Resolver with resolv.conf", () => {
  let [first, second]: DnsServer[] = []
  let folder: string
  let path: string

  beforeAll(async () => {
    ;[first, second] = [await DnsServer.start(), await DnsServer.start()]
    folder = mkdtempSync(join(tmpdir(), "resolv-"))
    path = join(folder, "resolv.conf")
  })

  afterAll(() => {
    first!.stop()
    second!.stop()
    rmSync(folder, { recursive: true })
  })

  function make(text: string): { resolver: Resolver; clock: FakeClock } {
    const clock = new FakeClock()
    writeFileSync(path, text)
    return { clock, resolver: new Resolver({ resolvConf: path, hostsFile: "", timeoutMs: 300 }, clock) }
  }

  test("completes short names; a failure on the way is no absence", async () => {
    const { resolver } = make(`nameserver ${first!.address}\nsearch a.test b.test\noptions ndots:1\n`)
    first!.say("app.b.test", { a: ["127.0.0.2"] })
    first!.say("there.a.test", {})
    first!.say("broken.a.test", { rcode: 2 })
    first!.say("half.a.test", { rcode: 2 })
    first!.say("half.b.test", { a: ["127.0.0.4"] })
    expect(await Promise.all(["app", "app.", "gone", "there", "broken", "half"].map(name => answerOf(resolver, name)))).toEqual([
      "127.0.0.2",
      "no-name",
      "no-name",
      "no-address",
      "failed",
      "127.0.0.4",
    ])
    expect(first!.queries.filter(query => query.type === "A" && query.name.startsWith("gone")).map(query => query.name)).toEqual([
      "gone.a.test",
      "gone.b.test",
      "gone",
    ])
    resolver.close()
  })

  test("a change of the file counts for the next query", async () => {
    const { resolver, clock } = make(`nameserver ${first!.address}\n`)
    first!.say("moved.test", { a: ["127.0.0.2"], ttl: 1 })
    second!.say("moved.test", { a: ["127.0.0.3"], ttl: 1 })
    expect(await answerOf(resolver, "moved.test")).toBe("127.0.0.2")
    writeFileSync(path, `nameserver ${second!.address}\noptions attempts:1\n`)
    clock.advance(1000)
    expect(await answerOf(resolver, "moved.test")).toBe("127.0.0.3")
    resolver.close()
  })
})

function answerOf(resolver: Resolver, name: string): Promise<string> {
  return new Promise(done => resolver.lookup(name, (error, addresses) => done(error?.code ?? addresses.map(entry => entry.address).join(" "))))
}
