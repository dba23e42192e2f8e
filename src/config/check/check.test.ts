import { describe, expect, test } from "bun:test"
import { said } from "./said.fixture.ts"

const two = "listeners: { a: { bind: ':1' }, b: { bind: ':2' } }\n"
const answer = "to: { respond: {} }"

describe("routes that can never match", () => {
  const shadowed = (...routes: string[]) =>
    said(`${two}routes:\n${routes.map(route => `  - { ${route} ${answer} }\n`).join("")}`).map(line => line.replace(/ takes all of.*/, ""))
  const never = (index: number, by: number) => `warning routes[${index}]: this route can never match: routes[${by}] (route-${by + 1})`

  test("behind a catch-all", () => expect(shadowed("", "match: { path: /a },")).toEqual([never(1, 0)]))
  test("not on other listeners", () => expect(shadowed("match: { listener: a },", "match: { listener: b },")).toEqual([]))
  test("not when one listener is left", () => expect(shadowed("match: { listener: a },", "")).toEqual([]))
  test("when several routes take all listeners together", () =>
    expect(shadowed("match: { listener: a },", "match: { listener: b },", "match: { path: /x },")).toEqual([never(2, 1)]))
  test("when an earlier one asks for less", () =>
    expect(shadowed("match: { path: /x },", "match: { host: h.test, path: /x },", "")).toEqual([never(1, 0)]))
  test("not when it asks for more or for something else", () =>
    expect(shadowed("match: { host: h.test, path: /x },", "match: { path: /x },", "match: { path: /y },", "")).toEqual([]))
})

describe("addresses that are bound twice", () => {
  const clash = (first: string, second: string) => said(`listeners: { a: { bind: ${first} }, b: { bind: ${second} } }\nroutes: [ { ${answer} } ]\n`)
  test.each([
    ["':80'", "'0.0.0.0:80'"],
    ["'[::]:80'", "':80'"],
    ["'[::1]:80'", "'[0:0::1]:80'"],
    ["'unix:/run/a'", "'unix:/run/a'"],
  ])("%s and %s", (first, second) => expect(clash(first, second)).toEqual(["listeners.b.bind: listeners.a.bind already binds this address"]))
  test.each([
    ["':0'", "':0'"],
    ["'127.0.0.1:80'", "'127.0.0.2:80'"],
    ["':80'", "':81'"],
  ])("but not %s and %s", (first, second) => expect(clash(first, second)).toEqual([]))
  test("by one listener", () =>
    expect(said(`listeners: { a: { bind: [':80', ':80'] } }\nroutes: [ { ${answer} } ]\n`)).toEqual([
      "listeners.a.bind[1]: listeners.a.bind[0] already binds this address",
    ]))
})

describe("forward listeners", () => {
  const egress = (listener: string, route = "to: { origin: {} }") =>
    said(`listeners: { out: { bind: ':3128', ${listener} } }\nroutes: [ { ${route} } ]\n`)
  const open = expect.stringContaining("warning listeners.out.forward: an open proxy")

  test("open to everybody", () => expect(egress("forward: true")).toEqual([open]))
  test("on loopback, or with passwords, is no open proxy", () => {
    for (const bind of ["127.0.0.1:1", "[::1]:1", "unix:/run/p.sock"]) {
      expect(said(`listeners: { out: { bind: '${bind}', forward: { privateRanges: allow } } }\nroutes: [ { to: { origin: {} } } ]\n`)).toEqual([])
    }
    expect(egress("forward: { auth: { htpasswd: /dev/null } }")).not.toContainEqual(open)
  })
  test("for clients of a range", () => expect(egress("forward: true", "match: { client: 10.0.0.0/8 }, to: { origin: {} }")).toEqual([]))
  test("with one closed and one open route", () =>
    expect(
      said(
        "listeners: { out: { bind: ':1', forward: true } }\nroutes: [ { match: { client: 10.0.0.0/8 }, to: { origin: {} } }, { to: { origin: {} } } ]\n",
      ),
    ).toEqual([open]))
  test("on one listener of several", () => {
    const text = "listeners: { web: { bind: ':1' }, out: { bind: '127.0.0.1:2', forward: true } }\nroutes: [ { to: { origin: {} } } ]\n"
    expect(said(text)).toEqual([
      'routes[0].to.origin: the destination origin needs a forward listener, and "web" is none; name the forward listeners under match',
    ])
  })
})

describe("requests that go in a circle", () => {
  const circle = (bind: string, peer: string, route = "to: { cluster: a }") =>
    said(`listeners: { web: { bind: '${bind}' } }\nclusters: { a: { peers: ['10.9.9.9:1', '${peer}'] } }\nroutes: [ { ${route} } ]\n`)
  test.each([
    [":80", "127.0.0.1:80"],
    [":80", "localhost:80"],
    ["[::1]:80", "localhost:80"],
    ["0.0.0.0:80", "127.0.0.9:80"],
    ["127.0.0.1:80", "127.0.0.1:80"],
    ["unix:/run/a.sock", "unix:/run/a.sock"],
  ])("a listener at %s and its peer %s", (bind, peer) =>
    expect(circle(bind, peer)).toEqual([
      'warning clusters.a.peers[1]: this is the listener "web" itself, and the route "route-1" sends its requests here: they go in a circle',
    ]),
  )
  test.each([
    [":80", "127.0.0.1:81"],
    ["127.0.0.1:80", "127.0.0.2:80"],
    ["0.0.0.0:80", "[::1]:80"],
    [":80", "192.0.2.1:80"],
    [":80", "a.test:80"],
    ["unix:/run/a.sock", "127.0.0.1:80"],
  ])("but not %s and %s", (bind, peer) => expect(circle(bind, peer)).toEqual([]))
  test("a parent proxy", () =>
    expect(
      said(
        "listeners: { out: { bind: '127.0.0.1:1', forward: true } }\nclusters: { up: { peers: ['127.0.0.1:1'] } }\nroutes: [ { to: { origin: { via: up } } } ]\n",
      ),
    ).toEqual([expect.stringContaining('clusters.up.peers[0]: this is the listener "out" itself')]))
  test("not from another listener", () => {
    const text = `${two}clusters: { inner: { peers: ['127.0.0.1:2'] } }\nroutes: [ { match: { listener: a }, to: { cluster: inner } }, { ${answer} } ]\n`
    expect(said(text)).toEqual([])
  })
})

describe("one slip does not hide another", () => {
  test("names in a broken entry are known", () => {
    const text =
      "listeners: { web: { bnd: ':1' } }\nclusters: { shop: { peers: [1] } }\nroutes: [ { match: { listener: web }, to: { cluster: shop } }, { to: { cluster: shp } }, { x: 1 } ]\n"
    expect(said(text).filter(line => line.includes("there is no"))).toEqual(['routes[1].to.cluster: there is no cluster "shp"; did you mean "shop"?'])
  })

  test("a broken part gives no false alarm about the rest", () => {
    const text = "listeners: { web: { bind: ':1' } }\nclusters: { shop: { peers: ['a:1'] } }\nroutes: [ { tp: { cluster: shop } } ]\n"
    expect(said(text).filter(line => line.startsWith("warning"))).toEqual([])
  })

  test("names that every object has are no clusters", () => {
    expect(said("listeners: { web: { bind: ':1' } }\nroutes: [ { to: { cluster: constructor } } ]\n")).toEqual([
      'routes[0].to.cluster: there is no cluster "constructor"; no cluster is defined',
    ])
    expect(
      said(
        "listeners: { constructor: { bind: ':1' } }\nclusters: { toString: { peers: ['a:1'] } }\nroutes: [ { match: { listener: constructor }, to: { cluster: toString } } ]\n",
      ),
    ).toEqual([])
  })
})
