import { describe, expect, test } from "bun:test"
import { leaksOf, type TunnelFacts } from "./leaks.ts"
import { defaultRoutes, nameServersOf, type Surroundings } from "./surroundings.ts"

const proxyOnly: TunnelFacts = { listens: "127.0.0.1:1080", captures: false, rejectsUdp: false }
const everything: TunnelFacts = { listens: "127.0.0.1:1080", captures: true, rejectsUdp: true }
const bare: Surroundings = { nameServers: ["192.0.2.53"], ipv6Routes: ["eth0"], env: {}, rules: "none" }

function states(tunnel: TunnelFacts, around: Partial<Surroundings>): string {
  return leaksOf(tunnel, { ...bare, ...around })
    .map(({ what, state }) => `${what} ${state}`)
    .join(", ")
}

describe("what gets past a tunnel", () => {
  test("that is a proxy and no more: whatever does not use it", () => {
    expect(states(proxyOnly, {})).toBe("names open, IPv6 open, environment open, UDP open, programs open")
  })
  test("that captures everything: nothing", () => {
    expect(states(everything, { rules: "there" })).toBe("names closed, IPv6 closed, environment closed, UDP closed, programs closed")
  })
  test("whose rules are gone: the same as without", () => {
    expect(states(everything, { rules: "none" })).toBe("names open, IPv6 open, environment open, UDP open, programs open")
  })
  test("whose rules are not to be seen: unknown is not closed", () => {
    expect(states(everything, { rules: "unknown" })).toBe("names unknown, IPv6 unknown, environment open, UDP unknown, programs unknown")
  })
  test("rules of another instance do not make a proxy a capture", () => {
    expect(states(proxyOnly, { rules: "there" })).toContain("programs open")
  })
  test("without a name server or a route of IPv6 there is nothing to leak by", () => {
    expect(states(proxyOnly, { nameServers: [], ipv6Routes: [] })).toContain("names closed, IPv6 closed")
  })
  test("whatever is open says what to do", () => {
    for (const leak of leaksOf(proxyOnly, bare)) expect(leak.todo).not.toBe("")
  })
})

describe("variables of the shell", () => {
  const of = (env: Record<string, string>) => leaksOf(proxyOnly, { ...bare, env }).find(({ what }) => what === "environment")!
  test.each([
    [{ http_proxy: "http://127.0.0.1:1080", https_proxy: "http://127.0.0.1:1080/" }, "closed"],
    [{ http_proxy: "http://localhost:1080", HTTPS_PROXY: "socks5h://localhost:1080" }, "closed"],
    [{ ALL_PROXY: "socks5h://127.0.0.1:1080" }, "closed"],
    [{ http_proxy: "http://127.0.0.1:3128", https_proxy: "http://127.0.0.1:1080" }, "open"],
    // Programs do not read this one: in CGI it is a request's header field.
    [{ HTTP_PROXY: "http://127.0.0.1:1080", https_proxy: "http://127.0.0.1:1080" }, "open"],
    [{ ALL_PROXY: "http://127.0.0.1:1080", no_proxy: "internal.test" }, "open"],
  ] as const)("%p: %s", (env, state) => {
    expect(of(env as Record<string, string>).state).toBe(state)
  })
})

test("name servers and routes, as the system writes them", () => {
  expect(nameServersOf("# a comment\nsearch home.test\nnameserver 192.0.2.53\n nameserver\tfd00::53\noptions edns0\n")).toEqual([
    "192.0.2.53",
    "fd00::53",
  ])
  const zero = "0".repeat(32)
  const route = (to: string, bits: string, flags: string, name: string) =>
    `${to} ${bits} ${zero} 00 ${zero} 00000400 00000001 00000000 ${flags} ${name}\n`
  const table =
    route(zero, "00", "00000003", "wlan0") +
    route(zero, "00", "00200200", "lo") +
    route(zero, "00", "00000200", "eth1") +
    route(zero, "60", "00000001", "eth0")
  expect(defaultRoutes(table)).toEqual(["wlan0"])
})
