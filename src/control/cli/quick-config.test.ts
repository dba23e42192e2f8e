import { describe, expect, test } from "bun:test"
import { forwardConfig, readTarget, reverseConfig } from "./quick-config.ts"
import { UsageError } from "./usage-error.ts"

describe("targets of reverse", () => {
  const table: [string, string, boolean][] = [
    ["http://127.0.0.1:3000", "127.0.0.1:3000", false],
    ["http://app.test", "app.test:80", false],
    ["HTTP://app.test/", "app.test:80", false],
    ["https://app.test", "app.test:443", true],
    ["https://[::1]:8443", "[::1]:8443", true],
    ["http://[::1]", "[::1]:80", false],
    ["app.test:3000", "app.test:3000", false],
    [":3000", "127.0.0.1:3000", false],
    ["unix:/run/app.sock", "unix:/run/app.sock", false],
  ]
  for (const [text, peer, tls] of table) test(text, () => expect(readTarget(text)).toEqual({ peer, tls }))

  for (const text of ["app.test", "http://app.test/api", "http://app.test?x", "http://u:p@app.test", "ftp://app.test", "", "a b:80", "3000"]) {
    test(`${JSON.stringify(text)} is refused`, () => expect(() => readTarget(text)).toThrow(UsageError))
  }
})

describe("reverse", () => {
  const base = { listen: [":8080"], to: ["http://127.0.0.1:3000"], log: "none" }

  test("the smallest", () => {
    expect(reverseConfig(base)).toEqual({
      listeners: { reverse: { bind: [":8080"] } },
      clusters: { target: { peers: ["127.0.0.1:3000"] } },
      routes: [{ name: "reverse", match: {}, to: { cluster: "target" } }],
      observe: { accessLog: { to: "none" } },
    } as never)
  })

  test("everything", () => {
    const config = reverseConfig({
      ...base,
      to: ["https://a.test", "https://b.test:8443"],
      balance: "random",
      host: ["a.test"],
      health: "/up",
      cert: "c.pem",
      key: "k.pem",
      insecure: true,
      log: "json",
    })
    expect(config).toEqual({
      listeners: { reverse: { bind: [":8080"], tls: { certificates: [{ cert: "c.pem", key: "k.pem" }] } } },
      clusters: { target: { peers: ["a.test:443", "b.test:8443"], balance: "random", health: { http: { path: "/up" } }, tls: { verify: false } } },
      routes: [{ name: "reverse", match: { host: ["a.test"] }, to: { cluster: "target" } }],
      observe: { accessLog: { format: "json" } },
    } as never)
  })

  test("what makes no sense is refused", () => {
    expect(() => reverseConfig({ ...base, to: ["https://a.test", "http://b.test"] })).toThrow("some targets are https")
    expect(() => reverseConfig({ ...base, insecure: true })).toThrow("--insecure")
    expect(() => reverseConfig({ ...base, cert: "a.pem" })).toThrow("--cert and --key")
    expect(() => reverseConfig({ ...base, log: "loud" })).toThrow("--log")
  })
})

test("forward", () => {
  expect(forwardConfig({ listen: ["127.0.0.1:3128"], log: "combined" })).toEqual({
    listeners: { forward: { bind: ["127.0.0.1:3128"], forward: true } },
    routes: [{ name: "forward", match: { listener: "forward" }, to: { origin: {} } }],
    observe: { accessLog: { format: "combined" } },
  } as never)
  const config = forwardConfig({ listen: [":3128"], allowPrivate: true, htpasswd: "users", connectPorts: "443, 8443", privacy: "high", log: "none" })
  expect(config.listeners!["forward"]).toEqual({
    bind: [":3128"],
    forward: { privateRanges: "allow", connectPorts: ["443", "8443"], auth: { htpasswd: "users" }, privacy: "high" },
  } as never)
})
