import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FakeClock, type LogRecord, setLogSink } from "../../base/index.ts"
import { HostsFile, parseHosts } from "./hosts-file.ts"
import { Resolver } from "./resolver.ts"

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hosts-"))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** Writes with a modification time of its own, since two writes of a test may fall into one tick of the file system's clock. */
function write(path: string, text: string, seconds: number): void {
  writeFileSync(path, text)
  utimesSync(path, seconds, seconds)
}

function addressesOf(resolver: Resolver, name: string): string[] | string {
  let result: string[] | string = "not at once"
  resolver.lookup(name, (error, addresses) => {
    result = error === null ? addresses.map(entry => entry.address) : error.code
  })
  return result
}

describe("parseHosts", () => {
  test("names, several of them, comments, both families, odd spacing", () => {
    const names = parseHosts(
      "127.0.0.1\tlocalhost  LocalHost.LocalDomain. # a comment\r\n::1 localhost\n\n# 10.0.0.1 no\n10.0.0.1 app\n10.0.0.1 app\n  10.0.0.2   app\n::ffff:10.0.0.3 mapped\n",
    )
    expect([...names.keys()]).toEqual(["localhost", "localhost.localdomain", "app", "mapped"])
    expect(names.get("localhost")).toEqual([
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ])
    expect(names.get("app")!.map(entry => entry.address)).toEqual(["10.0.0.1", "10.0.0.2"])
    expect(names.get("mapped")).toEqual([{ address: "10.0.0.3", family: 4 }])
  })

  test("lines that are none are passed over", () => {
    expect([...parseHosts("127.1 a\n300.0.0.1 b\nc\nfe80::1%lo0 d\n127.0.0.1\n").keys()]).toEqual([])
  })
})

describe("HostsFile", () => {
  test("is read again within a second of a change, also when it goes and comes", () => {
    const path = join(folder, "changing")
    const clock = new FakeClock()
    const hosts = new HostsFile(path, clock)
    const addressAfter = (ms: number) => {
      clock.advance(ms)
      return hosts.find("app")?.[0]?.address
    }
    expect(addressAfter(0)).toBeUndefined()
    write(path, "10.0.0.1 app\n", 1000)
    expect([addressAfter(999), addressAfter(1)]).toEqual([undefined, "10.0.0.1"])
    write(path, "10.0.0.2 app\n", 2000)
    expect([addressAfter(500), addressAfter(500)]).toEqual(["10.0.0.1", "10.0.0.2"])
    rmSync(path)
    expect(addressAfter(1000)).toBeUndefined()
  })

  test("a folder in its place is no names and a warning", () => {
    const logged: LogRecord[] = []
    setLogSink(record => logged.push(record))
    expect(new HostsFile(folder, new FakeClock()).find("app")).toBeUndefined()
    setLogSink(null)
    expect(logged).toMatchObject([{ level: "warn", message: "file cannot be read", fields: { path: folder } }])
  })
})

describe("Resolver, without a server", () => {
  test("the hosts file goes before everything, in any case and with a final dot", () => {
    const path = join(folder, "hosts")
    write(path, "10.9.8.7 app localhost\n", 1000)
    const resolver = new Resolver({ servers: ["127.0.0.1:1"], hostsFile: path }, new FakeClock())
    expect(["app", "APP", "app.", "localhost"].map(name => addressesOf(resolver, name))).toEqual([
      ["10.9.8.7"],
      ["10.9.8.7"],
      ["10.9.8.7"],
      ["10.9.8.7"],
    ])
    resolver.close()
  })

  test("literals are their own answer, for ever", () => {
    const resolver = new Resolver({ servers: ["127.0.0.1:1"], hostsFile: "" })
    const seen: unknown[] = []
    for (const literal of ["192.0.2.1", "2001:DB8::1", "[::1]", "::ffff:10.0.0.1", "fe80::1"])
      resolver.lookup(literal, (error, addresses, expiresAt) => seen.push(error, addresses, expiresAt))
    expect(seen.filter((_, i) => i % 3 === 1)).toEqual([
      [{ address: "192.0.2.1", family: 4 }],
      [{ address: "2001:db8::1", family: 6 }],
      [{ address: "::1", family: 6 }],
      [{ address: "10.0.0.1", family: 4 }],
      [{ address: "fe80::1", family: 6 }],
    ])
    expect([seen[0], seen[2]]).toEqual([null, Infinity])
    resolver.refresh("127.0.0.1", (error, addresses) => expect([error, addresses[0]!.address]).toEqual([null, "127.0.0.1"]))
    resolver.close()
  })

  test("reserved names never reach a server (RFC 6761, RFC 7686)", () => {
    const resolver = new Resolver({ servers: ["127.0.0.1:1"], hostsFile: "" }, new FakeClock())
    expect(["localhost", "a.LOCALHOST."].map(name => addressesOf(resolver, name))).toEqual([
      ["::1", "127.0.0.1"],
      ["::1", "127.0.0.1"],
    ])
    expect(["invalid", "a.invalid", "abc.onion"].map(name => addressesOf(resolver, name))).toEqual(["no-name", "no-name", "no-name"])
    expect(resolver.pending).toBe(0)
    resolver.close()
  })
})
