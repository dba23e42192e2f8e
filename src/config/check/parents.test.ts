import { expect, test } from "bun:test"
import { said } from "./said.fixture.ts"

const cluster = (words: string, to = "{ origin: { via: p } }") =>
  said(
    `listeners: { egress: { bind: "127.0.0.1:1", forward: true } }\nclusters: { p: { peers: ["127.0.0.1:2"], ${words} } }\nroutes: [ { to: ${to} } ]\n`,
  )

test.each([
  ["parent: http", []],
  ["parent: https", []],
  ["parent: { user: bob, password: x }", []],
  ["parent: { token: x }, tls: true", []],
  ["parent: { user: bob }", ["clusters.p.parent.user: a user needs password or passwordFile"]],
  ["parent: { password: x }", ["clusters.p.parent: a password needs a user"]],
  ["parent: { user: bob, password: x, token: y }", ["clusters.p.parent.user: a parent takes a user or a token, not both"]],
  ["parent: { user: bob, passwordFile: nowhere }", ["clusters.p.parent.passwordFile: /conf/nowhere: there is no such file"]],
  ["parent: { kind: https }, tls: false", ["clusters.p.tls: kind: https needs TLS, and tls is off here; kind: http is without"]],
  ["parent: http, protocol: tcp", ["clusters.p.protocol: no parent proxy is spoken to in tcp"]],
])("%s", (words, expected) => expect(cluster(words)).toEqual(expected))

test("a log-in in the clear to another machine is warned of", () => {
  const text = `listeners: { egress: { bind: "127.0.0.1:1", forward: true } }
clusters: { p: { peers: ["parent.example:3128"], parent: { user: bob, password: x } } }
routes: [ { to: { origin: { via: p } } } ]
`
  expect(said(text)).toEqual([
    "warning clusters.p.parent: the log-in crosses the network in the clear; give the cluster `tls` if the parents speak it",
  ])
})

test("parents are no servers", () =>
  expect(cluster("parent: http", "{ cluster: p }")).toContain('routes[0].to.cluster: "p" is a cluster of parents: write to: { origin: { via: p } }'))

test("a slip in a secret does not show it", () => {
  for (const words of ["parent: { user: bob, password: [topsecret] }", "parent: { token: 'top secret' }"])
    expect(cluster(words).join("\n")).not.toMatch(/top/)
})
