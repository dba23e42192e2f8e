import { describe, expect, test } from "bun:test"
import { FAULT } from "../base/index.ts"
import type { Message } from "./message.ts"
import { asksForUdp, readUdpTarget } from "./udp-target.ts"

function read(path: string, more: object = {}): { fault: string; host: string; port: number; authority: string; m: Message } {
  const m = {
    method: "GET",
    scheme: "http",
    host: "proxy.test",
    port: 80,
    authority: "proxy.test",
    path,
    query: "",
    upgrade: "connect-udp",
    ...more,
  } as Message
  const fault = readUdpTarget(m)
  return { fault: fault?.code ?? "", host: m.host, port: m.port, authority: m.authority, m }
}

const at = (rest: string): string => `/.well-known/masque/udp/${rest}`

describe("the target of a UDP tunnel (RFC 9298 section 3)", () => {
  test.each([
    ["192.0.2.6/443/", "192.0.2.6", 443, "192.0.2.6:443"],
    ["target.example.com/53/", "target.example.com", 53, "target.example.com:53"],
    ["2001%3Adb8%3A%3A42/443/", "2001:db8::42", 443, "[2001:db8::42]:443"],
    ["2001:DB8:0::42/443/", "2001:db8::42", 443, "[2001:DB8:0::42]:443"],
    ["%3a%3affff%3a10.0.0.1/1/", "10.0.0.1", 1, "[::ffff:10.0.0.1]:1"],
    ["Target.Example./65535/", "target.example", 65_535, "Target.Example.:65535"],
    ["%61.test/%34%34%33/", "a.test", 443, "a.test:443"],
  ])("%s", (rest, host, port, authority) => {
    const { m, ...said } = read(at(rest))
    expect(said).toEqual({ fault: "", host, port, authority })
    expect([m.forwardForm, m.upgrade, m.path]).toEqual([true, "connect-udp", at(rest)])
  })

  test.each([
    "",
    "a.test/443",
    "a.test/443/x",
    "a.test/443//",
    "/443/",
    "a.test//",
    "a.test/0/",
    "a.test/00443/",
    "a.test/65536/",
    "a.test/99999/",
    "a.test/-1/",
    "a.test/+1/",
    "a.test/1e3/",
    "a.test/%20443/",
    "a%/443/",
    "a%2/443/",
    "a%zz/443/",
    "%00a.test/443/",
    "a%20.test/443/",
    "b%C3%BCcher.test/443/",
    "%5B%3A%3A1%5D/443/",
    "[::1]/443/",
    "fe80%3A%3A1%25eth0/443/",
    "a%252e.test/443/",
    "a%2Fb/443/",
    "a%40b/443/",
    "a%3A1/443/",
    "%3A%3Ag/443/",
    `${"a".repeat(300)}/443/`,
  ])("%s is none", rest => {
    expect([FAULT.badTarget.code, FAULT.badHost.code]).toContain(read(at(rest)).fault)
  })

  test("another path, a query, another method", () => {
    const good = at("a.test/443/")
    for (const [path, more] of [
      ["/", {}],
      [good.toUpperCase(), {}],
      [`/x${good}`, {}],
      ["*", {}],
      [good, { query: "?" }],
      [good, { method: "HEAD" }],
    ] as const)
      expect(read(path, more).fault).toBe(FAULT.badTarget.code)
  })
})

test("asked for alone or among others", () => {
  expect(["connect-udp", "websocket, connect-udp", "a,connect-udp ,b"].every(asksForUdp)).toBe(true)
  expect(["", "websocket", "connect-udp2", "connect-ip"].some(asksForUdp)).toBe(false)
})
