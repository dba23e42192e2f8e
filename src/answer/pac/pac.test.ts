import { describe, expect, test } from "bun:test"
import { runInNewContext } from "node:vm"
import { ANSWER, Exchange } from "../../flow/index.ts"
import { fakeAnswerDeps } from "../answer-deps.fixture.ts"
import pac, { pacGate, pacOptions } from "./pac.ts"

function script(options: object, of: Partial<Exchange> = {}): { find(host: string): string; text: string } {
  const x = Object.assign(new Exchange(), { host: "proxy.example", port: 3128, ...of })
  expect(pac.build(pac.options.parse(options), fakeAnswerDeps())(x)).toBe(ANSWER)
  expect(x.response.extra).toContain("Content-Type: application/x-ns-proxy-autoconfig\r\n")
  const text = Buffer.from(x.localBody!).toString()
  const forbidden = (): never => {
    throw new Error("a name is looked up")
  }
  const world = { dnsResolve: forbidden, isResolvable: forbidden, isInNet: forbidden, myIpAddress: forbidden }
  return { text, find: host => runInNewContext(`${text}; FindProxyForURL(${JSON.stringify(`https://${host}/`)}, ${JSON.stringify(host)})`, world) }
}

describe("pac", () => {
  test("the proxy is where the file was asked for", () => {
    expect(script({}).find("www.example")).toBe("PROXY proxy.example:3128")
    expect(script({}, { scheme: "https", port: 443 }).find("www.example")).toBe("HTTPS proxy.example:443")
    expect(script({}, { host: "2001:db8::1" }).find("www.example")).toBe("PROXY [2001:db8::1]:3128")
  })

  test("proxies are tried in order, and nothing goes past them unless that is said", () => {
    const proxies = ["a.example:3128", "https://b.example:443", "socks5://[::1]:1080"]
    expect(script({ proxies }).find("x.example")).toBe("PROXY a.example:3128; HTTPS b.example:443; SOCKS5 [::1]:1080")
    expect(script({ proxies: "a.example:1", fallback: "direct" }).find("x.example")).toBe("PROXY a.example:1; DIRECT")
  })

  test.each([
    ["printer", "DIRECT"],
    ["127.0.0.1", "DIRECT"],
    ["10.255.255.255", "DIRECT"],
    ["11.0.0.0", "PROXY proxy.example:3128"],
    ["172.31.0.1", "DIRECT"],
    ["172.32.0.1", "PROXY proxy.example:3128"],
    ["::1", "DIRECT"],
    ["[::1]", "DIRECT"],
    ["fd12::1", "DIRECT"],
    ["2001:db8::1", "PROXY proxy.example:3128"],
    ["intranet.example", "DIRECT"],
    ["A.Intranet.Example.", "DIRECT"],
    ["notintranet.example", "PROXY proxy.example:3128"],
    ["constructor", "DIRECT"],
    ["x.constructor", "PROXY proxy.example:3128"],
    ["192.0.2.9", "DIRECT"],
    ["192.0.3.0", "PROXY proxy.example:3128"],
    ["2001:db9:1::5", "DIRECT"],
  ])("%s: %s", (host, way) => {
    expect(script({ direct: ["*.intranet.example", "192.0.2.0/24", "2001:db9::/32"] }).find(host)).toBe(way)
  })

  test("inner addresses and plain names may go through the proxy", () => {
    const { find } = script({ privateRanges: "proxy", plainNames: "proxy" })
    for (const host of ["printer", "127.0.0.1", "::1", "localhost"]) expect(find(host)).toStartWith("PROXY")
  })

  test("a Host that is none cannot write into the script", () => {
    const { text } = script({}, { host: 'x"+alert(1)+"' })
    expect(text).toContain(String.raw`"PROXY x\"+alert(1)+\":3128"`)
  })

  test("the gate is for those who ask the listener itself", () => {
    const gate = pacGate(pacOptions.parse({}), { secure: false })
    const ask = (of: Partial<Exchange>) => gate(Object.assign(new Exchange(), { method: "GET", path: "/proxy.pac", host: "p", ...of }))
    expect(ask({})).toBe(ANSWER)
    expect(ask({ path: "/wpad.dat", method: "HEAD" })).toBe(ANSWER)
    expect([ask({ forwardForm: true }), ask({ path: "/" }), ask({ method: "POST" })]).toEqual([0, 0, 0])
  })

  // What the case is about is clients that run a file of others; this is what a file of ours does to them.
  test("O-52: nothing is read but the host, nothing falls open, nothing of the log-in stands in it, and a query in its own address changes nothing", () => {
    const { text, find } = script({ proxies: ["a.example:1", "b.example:2"] })
    expect(text.replace("FindProxyForURL(url, host)", "").includes("url")).toBe(false)
    expect(find("x.example")).toBe("PROXY a.example:1; PROXY b.example:2")
    const begin = performance.now()
    for (const host of ["", ".", "..", "a".repeat(100_000), ".".repeat(100_000), "x\u0000y", "%"]) expect(find(host)).not.toBe("")
    expect(performance.now() - begin).toBeLessThan(2000)
    expect(pacOptions.safeParse({ proxies: "user:secret@a.example:1" }).success).toBe(false)
    const gate = pacGate(pacOptions.parse({}), { secure: false })
    const x = Object.assign(new Exchange(), { method: "GET", path: "/proxy.pac", query: "?v=2", host: "p" })
    expect([gate(x), Buffer.from(x.localBody!).includes("v=2")]).toEqual([ANSWER, false])
  })

  test("what makes no sense is refused", () => {
    for (const direct of ["a b", "10.0.0.0/33", "300.1.1.1", "2001:db8::/33", "x.example/8"])
      expect(pacOptions.safeParse({ direct: [direct] }).success).toBe(false)
    expect(pacOptions.safeParse({ proxies: "ftp://a.example:1" }).success).toBe(false)
  })
})
