import { describe, expect, test } from "bun:test"
import { said } from "./said.fixture.ts"

const tls = "tls: { certificates: [{ cert: a.pem, key: a.key }] }"
const route = "routes: [{ to: { respond: { body: hi } } }]\n"
const versions = (text: string): string[] => said(text).filter(line => /HTTP\/3|PROXY|upgraded/.test(line))

describe("versions of HTTP that cannot be", () => {
  test("http3 without tls", () =>
    expect(versions(`listeners: { web: { bind: ':1', http3: true } }\n${route}`)).toEqual([
      "listeners.web.http3: HTTP/3 is always encrypted: this listener needs tls, too",
    ]))
  test("http3 on Unix sockets", () =>
    expect(versions(`listeners: { web: { bind: 'unix:/run/a.sock', ${tls}, http3: true } }\n${route}`)).toEqual([
      expect.stringContaining("listeners.web.http3: HTTP/3 needs a port"),
    ]))
  test("http3 behind the PROXY protocol", () =>
    expect(versions(`listeners: { web: { bind: ':1', ${tls}, http3: true, proxyProtocol: { from: 10.0.0.0/8 } } }\n${route}`)).toEqual([
      expect.stringContaining("listeners.web.http3: there is no PROXY protocol over UDP"),
    ]))
  test("a cluster over HTTP/3 without tls", () =>
    expect(
      versions(`listeners: { web: { bind: ':1' } }\nclusters: { a: { peers: ['b:1'], protocol: http3 } }\nroutes: [{ to: { cluster: a } }]\n`),
    ).toEqual(["clusters.a.protocol: HTTP/3 is always encrypted: this cluster needs tls, too"]))
  test("a shared connection with a PROXY header", () =>
    expect(
      versions(
        `listeners: { web: { bind: ':1' } }\nclusters: { a: { peers: ['b:1'], protocol: http2, proxyProtocol: v2 } }\nroutes: [{ to: { cluster: a } }]\n`,
      ),
    ).toEqual([expect.stringContaining("clusters.a.protocol: a connection that begins with a PROXY header")]))
  test("HTTP/3 through parents", () =>
    expect(
      versions(
        "listeners: { out: { bind: '127.0.0.1:1', forward: true } }\nclusters: { up: { peers: ['b:1'] } }\nroutes: [{ to: { origin: { via: up, upgrade: { tls: true, http: http3 } } } }]\n",
      ),
    ).toEqual(["routes[0].to.origin.upgrade.http: parent proxies carry no QUIC, so no HTTP/3: take auto, http1 or http2"]))
  test("what can be is not spoken of", () =>
    expect(
      versions(
        `listeners: { web: { bind: ':1', ${tls}, http3: true } }\nclusters: { a: { peers: ['b:1'], protocol: http3, tls: true }, c: { peers: ['unix:/run/c'], protocol: http2 } }\nroutes: [{ match: { path: /a }, to: { cluster: a } }, { to: { cluster: c } }]\n`,
      ),
    ).toEqual([]))
})
