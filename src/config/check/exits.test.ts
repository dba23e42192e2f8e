import { expect, test } from "bun:test"
import { said } from "./said.fixture.ts"

const config = (exits: string, origin: string, rest = "") =>
  said(`listeners: { egress: { bind: "127.0.0.1:1", forward: true } }
clusters: { parents: { peers: ["127.0.0.1:2"], parent: http } }
exits: ${exits}
routes: [ { to: { origin: ${origin} }${rest} } ]
`)

test("exits that are good", () => {
  expect(
    config(
      "{ de: { via: parents }, home: { source: 127.0.0.2 }, any: { sources: [127.0.0.3, 127.0.0.4], rotate: time, every: 5m }, plain: {} }",
      "{ exit: de }",
    ),
  ).toEqual([])
  expect(
    config(
      "{ de: { via: parents }, home: { source: 127.0.0.2 } }",
      "{ exit: { header: X-Exit, user: { ann: de }, group: { staff: home }, default: home } }",
    ),
  ).toEqual([])
})

test.each([
  ["{ de: { via: parnets } }", "{ exit: de }", 'exits.de.via: there is no cluster "parnets"; did you mean "parents"?'],
  [
    "{ de: { via: parents, source: 127.0.0.2 } }",
    "{ exit: de }",
    "exits.de: an exit leads through parents (via) or from addresses of this machine (source), not both",
  ],
  ["{ de: { sources: [127.0.0.2, 192.0.2.9] } }", "{ exit: de }", "exits.de.sources[1]: 192.0.2.9 is no address of this machine"],
  ["{ home: {} }", "{ exit: hoem }", 'routes[0].to.origin.exit: there is no exit "hoem"; did you mean "home"?'],
  [
    "{ home: {} }",
    "{ exit: { user: { ann: hoem }, default: home } }",
    'routes[0].to.origin.exit.user.ann: there is no exit "hoem"; did you mean "home"?',
  ],
  ["{ home: {} }", "{ exit: home, via: parents }", "routes[0].to.origin.via: via and exit both say where requests leave; keep one"],
  ["{ de: { source: here } }", "{ exit: de }", "exits.de.source: expected an address of this machine, such as 192.0.2.10 or 2001:db8::10"],
  ["{ home: {} }", "{ exit: home, orDirect: true }", "warning routes[0].to.origin.orDirect: this route goes straight anyway"],
])("%s %s", (exits, origin, expected) => expect(config(exits, origin)).toContain(expected))

test("what exits cannot carry", () => {
  expect(config("{ de: { via: parents } }", "{ exit: de }", ", upgrade: [connect-udp]")).toEqual([
    expect.stringMatching(/^warning routes\[0\]\.upgrade: of parent proxies only .* carry UDP/),
  ])
  expect(config("{ de: { source: 127.0.0.2 }, o: { via: parents } }", "{ exit: de }", ", upgrade: [connect-udp]")).toEqual([
    expect.stringMatching(/^warning routes\[0\]\.upgrade: not all of these exits carry UDP/),
  ])
  expect(config("{ de: { source: 127.0.0.2 }, o: { via: parents } }", "{ exit: de, upgrade: { http: http3 } }")).toEqual([
    "routes[0].to.origin.upgrade.http: exits carry no QUIC: take auto, http1 or http2",
  ])
})

test("a cache and exits that a client chooses", () => {
  const text = said(`listeners: { egress: { bind: "127.0.0.1:1", forward: true } }
caches: { main: { memory: 8MB } }
exits: { a: {}, b: {} }
routes: [ { filters: [ { cache: { store: main } } ], to: { origin: { exit: { header: X-Exit, default: a } } } } ]
`)
  expect(text.join("\n")).toContain("give each exit a route of its own")
})
