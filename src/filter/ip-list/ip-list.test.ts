import { describe, expect, test } from "bun:test"
import { Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import ipList from "./ip-list.ts"
import { readListFile } from "./list-file.ts"

function start(options: unknown, files: Record<string, string> = {}) {
  const deps = new FakeDeps(files)
  const filter = ipList.build(ipList.options.parse(options), deps)
  const verdicts = (...addresses: string[]) =>
    addresses.map(address => {
      const x = new Exchange()
      x.clientAddress = address
      const verdict = filter.access!(x)
      expect(verdict === NEXT ? null : x.fault?.code).toBe(verdict === NEXT ? null : "proxy.forbidden")
      expect([NEXT, FAULT_VERDICT]).toContain(verdict as 0)
      return verdict === NEXT ? "in" : "out"
    })
  return { deps, filter, verdicts }
}

describe("ip-list", () => {
  test("deny alone lets all others in, allow alone nobody else", () => {
    expect(start({ deny: ["10.0.0.0/8", "2001:db8::/32"] }).verdicts("10.1.1.1", "2001:db8::1", "11.0.0.1", "::1", "unix")).toEqual([
      "out",
      "out",
      "in",
      "in",
      "in",
    ])
    expect(start({ allow: ["10.0.0.5-10.0.0.6"] }).verdicts("10.0.0.5", "10.0.0.7", "::1", "unix", "")).toEqual(["in", "out", "out", "out", "out"])
  })

  test("deny beats allow, except spares from deny and lets nobody in by itself", () => {
    const both = start({ allow: ["10.0.0.0/8"], deny: ["10.1.0.0/16"], except: ["10.1.2.3", "11.0.0.1"] })
    expect(both.verdicts("10.0.0.1", "10.1.0.1", "10.1.2.3", "11.0.0.1")).toEqual(["in", "out", "in", "out"])
  })

  test("a denied IPv4 address inside an IPv6 address is denied; allow believes in no such thing", () => {
    expect(start({ deny: ["192.0.2.1"] }).verdicts("::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1")).toEqual(["out", "out", "out"])
    expect(start({ allow: ["192.0.2.1"] }).verdicts("::ffff:192.0.2.1", "64:ff9b::192.0.2.1")).toEqual(["in", "out"])
  })

  test("files: several, read again, a bad version changes nothing", () => {
    const { verdicts, deps, filter } = start({ deny: ["1.1.1.1"], files: { deny: ["a", "b"] } }, { "/etc/a": "2.2.2.2\n", "/etc/b": "# none yet\n" })
    expect(verdicts("1.1.1.1", "2.2.2.2", "3.3.3.3")).toEqual(["out", "out", "in"])
    deps.change("/etc/b", "3.3.3.3")
    expect(verdicts("1.1.1.1", "2.2.2.2", "3.3.3.3")).toEqual(["out", "out", "out"])
    expect(() => deps.change("/etc/b", "3.3.3.3\n4.4.4\n")).toThrow("/etc/b: line 2: ")
    expect(verdicts("3.3.3.3")).toEqual(["out"])
    expect(filter.describe!()).toBe("deny 3, except 0, allow all others")
    expect(deps.counts.get("ip_list_refused")).toBe(6)
  })

  test("a file of those who may is never taken empty", () => {
    expect(() => start({ files: { allow: "a" } }, { "/etc/a": "" })).toThrow("names no address")
    const { deps, verdicts } = start({ files: { allow: "a" } }, { "/etc/a": "1.1.1.1" })
    expect(() => deps.change("/etc/a", "#")).toThrow("names no address")
    expect(verdicts("1.1.1.1", "2.2.2.2")).toEqual(["in", "out"])
  })

  test("filters that name one file share its set", () => {
    const set = readListFile("10.0.0.1", "/x", true)
    expect(readListFile("10.0.0.1", "/x", true)).toBe(set)
    expect(readListFile("10.0.0.2", "/x", true)).not.toBe(set)
    expect(readListFile("10.0.0.2", "/x", false)).not.toBe(readListFile("10.0.0.2", "/x", true))
  })

  test.each([{}, { except: ["1.1.1.1"] }, { deny: ["10.0.0.1/8"] }, { allow: ["a.test"] }, { files: {} }, { deny: "x" }])("refuses %j", options =>
    expect(ipList.options.safeParse(options).success).toBe(false),
  )
})
