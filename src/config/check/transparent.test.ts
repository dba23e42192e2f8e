import { expect, test } from "bun:test"
import { said } from "./said.fixture.ts"

const inside = (words: string, forward = "{ transparent: redirect }") =>
  said(`listeners: { inside: { bind: ":1", forward: ${forward}${words} } }\nroutes: [ { to: { origin: {} } } ]\n`)

test.each([
  ["", []],
  [
    ", tls: { auto: { names: [a.test] } }",
    ["listeners.inside.tls: captured clients speak TLS with the server that they called, not with this listener"],
  ],
  [
    ', proxyProtocol: { from: "10.0.0.1" }',
    ["listeners.inside.proxyProtocol: captured clients do not know that there is a proxy, so nobody sends the header"],
  ],
])("a transparent listener%s", (words, expected) => expect(inside(words)).toEqual(expected))

test("a transparent listener on every address is no open proxy", () => {
  expect(inside("", "{ transparent: { mode: tproxy, dial: name, other: close, silence: 1s } }")).toEqual([])
  expect(inside("", "{ transparent: tproxi }")).toEqual([
    'listeners.inside.forward.transparent: expected "redirect", "tproxy" or a map, got "tproxi"; did you mean "tproxy"?',
  ])
})

const names = (words: string, more = "") =>
  said(`listeners: { names: { bind: "127.0.0.1:1", ${words} }, web: { bind: "127.0.0.1:2" }${more} }\nroutes: [ { to: { redirect: { to: /x } } } ]\n`)

test.each([
  ["dns: stand-in", []],
  ["dns: { answer: resolve }", []],
  ["dns: { answer: resolve, block: ads }", ['listeners.names.dns.block: there is no list "ads"; `lists` has none']],
  ["dns: stand-in, tcp: true", ["listeners.names.tcp: this listener answers DNS queries and nothing else; take another one"]],
  ["dns: { answer: stand-in, range: 'fd00::/64' }", ["listeners.names.dns.range: expected a network of IPv4"]],
  ["dns: { answer: stand-in, range: 10.0.0.0/30 }", ["listeners.names.dns.range: expected a network of 16 addresses or more"]],
  ["dns: { answer: stand-in, ipv6: 10.0.0.0/24 }", ["listeners.names.dns.ipv6: expected a network of IPv6"]],
  [
    "dns: { answer: stand-in, from: ['0.0.0.0/0'] }",
    ["warning listeners.names.dns.from: whoever reaches this address is answered; attackers use such servers against others"],
  ],
])("%s", (words, expected) => expect(names(words)).toEqual(expected))

test("a DNS listener needs no route", () => expect(said(`listeners: { names: { bind: "127.0.0.1:1", dns: resolve } }\nroutes: []\n`)).toEqual([]))

test("a DNS listener that others reach answers them when it is told to, and has no routes", () => {
  expect(
    said(
      `listeners: { names: { bind: ":1", dns: resolve }, web: { bind: "127.0.0.1:2" } }\nroutes: [ { match: { listener: names }, to: { redirect: { to: /x } } }, { to: { redirect: { to: /x } } } ]\n`,
    ),
  ).toEqual([
    "warning listeners.names.dns: others reach this address, and only this machine is answered; list their networks under `from`",
    'routes[0].match.listener: the listener "names" answers DNS queries by itself; no request comes by it',
  ])
})

const capture = (words: string, bind = ":12080") =>
  said(`listeners: { inside: { bind: "${bind}", forward: { transparent: redirect } }, names: { bind: "127.0.0.1:1", dns: stand-in } }
capture: { ${words} }
routes: [ { to: { origin: {} } } ]
`)

test.each([
  ["machine: true, user: bothways, dns: off", []],
  ["machine: true, mark: 7, dns: off", []],
  [
    "machine: true, mark: 7",
    [
      "warning capture.machine: if the system asks a resolver of its own (127.0.0.53), that one is captured, too, and would give the proxy addresses that stand for names; list name servers under resolver.servers",
    ],
  ],
  ["machine: true, dns: off", ["capture.machine: the proxy's own connections would come back to it; say by `user` or `mark` which they are"]],
  ["machine: { listener: web }, mark: 7, dns: off", ['capture.machine: needs a listener with `forward: { transparent: redirect }`; "web" is none']],
  ["network: { from: [10.0.0.0/8] }, dns: off", []],
  [
    "network: { from: [10.0.0.0/8] }",
    ["capture.network: queries of other machines cannot be brought to a DNS listener on loopback; bind it to every address"],
  ],
  [
    "network: { interfaces: [] }, dns: off",
    ["capture.network: says nobody; give the networks of the clients (`from`), or the `interfaces` that they come in by"],
  ],
  ["network: { interfaces: ['eth0; drop'] }", ["capture.network.interfaces[0]: expected the name of a network interface, such as eth0"]],
  ["machine: true, user: 'root return; #'", ["capture.user: expected a user's name or number"]],
  ["killSwitch: true", ["warning capture: captures nothing: neither `machine` nor `network` is set"]],
  ["machine: true, mark: 7, dns: other", ['capture.dns: there is no listener "other" with `dns`']],
])("capture: %s", (words, expected) => expect(capture(words)).toEqual(expected))

test("what other machines open cannot be redirected to loopback", () => {
  expect(capture("network: { from: [10.0.0.0/8] }, dns: off", "127.0.0.1:12080")).toEqual([
    "capture.network: connections of other machines cannot be redirected to a listener on loopback; bind it to every address",
  ])
})
