import { describe, expect, test } from "bun:test"
import type { Config, ListenerConfig } from "../schema.ts"
import { configOf } from "./ask.fixture.ts"
import { chooseListener } from "./choose-listener.ts"
import { readTarget } from "./request-text.ts"

const plain = configOf(`
listeners:
  world: { bind: [":80", "unix:/run/site.sock"] }
  inner: { bind: "10.0.0.1:80" }
  local: { bind: ["127.0.0.1:8080", "[::1]:8080"] }
  egress: { bind: "127.0.0.1:3128", forward: true }
routes: [ { to: { respond: {} } } ]
`)
const tls: NonNullable<ListenerConfig["tls"]> = {
  certificates: [],
  auto: null,
  minVersion: "1.2",
  ciphers: null,
  alpn: ["http/1.1"],
  clientCertificates: null,
}
const config: Config = { ...plain, listeners: { ...plain.listeners, secure: { ...plain.listeners.world!, bind: [{ host: "", port: 443 }], tls } } }

function chosen(of: Config, method: string, url: string, wanted: string | null = null): string {
  try {
    return chooseListener(of, method, readTarget(method, url), wanted).name
  } catch (error) {
    return (error as Error).message
  }
}

describe("where a request comes in", () => {
  const cases: [method: string, url: string, name: string][] = [
    ["GET", "https://shop.example/", "secure"],
    ["GET", "http://10.0.0.1/", "inner"],
    ["GET", "http://localhost:8080/", "local"],
    ["GET", "http://localhost/", "world"],
    ["GET", "http://[0:0:0:0:0:0:0:1]:8080/", "local"],
    ["GET", "http://127.0.0.1:3128/", "egress"],
    ["CONNECT", "shop.example:443", "egress"],
    ["GET", "http://shop.example/", "2 listeners may be meant; say which one with --listener: world, inner"],
    [
      "GET",
      "http://10.0.0.2:8080/",
      "no listener waits for http at 10.0.0.2:8080; say which one with --listener: world, inner, local, egress, secure",
    ],
    [
      "GET",
      "https://shop.example:80/",
      "no listener waits for https at shop.example:80; say which one with --listener: world, inner, local, egress, secure",
    ],
    ["GET", "/x", "no listener waits for a path alone; say which one with --listener: world, inner, local, egress, secure"],
  ]
  for (const [method, url, name] of cases) test(`${method} ${url}`, () => expect(chosen(config, method, url)).toBe(name))

  test("the named one, and the only one", () => {
    expect(chosen(config, "GET", "https://shop.example/", "inner")).toBe("inner")
    expect(chosen(config, "GET", "http://a.test/", "toString")).toBe(
      'there is no listener "toString"; expected one of world, inner, local, egress, secure',
    )
    const one: Config = { ...config, listeners: { local: config.listeners.local! } }
    for (const url of ["http://a.test/", "https://a.test/", "/x"]) expect(chosen(one, "GET", url)).toBe("local")
    expect(chosen(one, "CONNECT", "a.test:443")).toBe("local")
  })
})
