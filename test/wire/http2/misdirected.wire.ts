import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"

// O-38 on HTTP/2: browsers ask for every name of a certificate on one connection (RFC 9113 section 9.1.1). What needs a client certificate says so by
// stream; all others are served.
const authority = new Authority()
const site = authority.issue(["a.test", "b.test", "c.test"])
const alice = authority.issue(["alice"])
const [secure, h1only] = (await freePorts(2)) as [number, number]
const upstream = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
const certificates = [{ cert: site.certFile, key: site.keyFile }]
const proxy = await startBothways({
  listeners: {
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates, clientCertificates: { mode: "optional", ca: authority.ca.certFile } } },
    h1only: { bind: `127.0.0.1:${h1only}`, tls: { certificates }, http2: false },
  },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { name: "a", match: { host: "a.test" }, filters: ["require-certificate"], to: { cluster: "a" } },
    { name: "site", match: { host: ["b.test", "c.test"] }, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const open = (tls: object = {}): Promise<RawH2Client> => rawH2Client(secure, { tls: { servername: "b.test", ...tls } })

async function status(client: RawH2Client, host: string): Promise<number> {
  const { status, body } = await client.response(client.request({ ":authority": host }))
  expect(body.includes("secret")).toBe(status === 200)
  return status
}

describe("one connection for b.test without a certificate", () => {
  test("b and c in every spelling are served, a is 421, and the connection goes on", async () => {
    using client = await open()
    expect(client.alpn).toBe("h2")
    const expected: [host: string, status: number][] = [
      ["b.test", 200],
      ["c.test", 200],
      ["a.test", 421],
      ["c.test:8443", 200],
      ["A.Test:443", 421],
      ["C.TEST", 200],
      ["a.test.", 421],
      ["d.test", 404],
      [`b.test:${secure}`, 200],
    ]
    const before = upstream.requests.length
    for (const [host, code] of expected) expect([host, await status(client, host)]).toEqual([host, code])
    expect(upstream.requests.length).toBe(before + 5)
    expect(client.goaways).toEqual([])
  })
  test("all at once", async () => {
    using client = await open()
    const hosts = ["a.test", "b.test", "a.test", "c.test"]
    const ids = hosts.map(host => client.request({ ":authority": host }))
    const codes = await Promise.all(ids.map(async id => (await client.response(id)).status))
    expect(codes).toEqual([421, 200, 421, 200])
  })
  test("host in place of :authority is no way around", async () => {
    using client = await open()
    const id = client.request([
      [":method", "GET"],
      [":scheme", "https"],
      [":path", "/"],
      ["host", "a.test"],
    ])
    expect((await client.response(id)).status).toBe(421)
  })
})

test("with a certificate every name is served", async () => {
  using client = await open({ cert: alice.cert, key: alice.key })
  for (const host of ["a.test", "b.test", "c.test"]) expect([host, await status(client, host)]).toEqual([host, 200])
})

test("the origin learns that it was https", async () => {
  using client = await open()
  await status(client, "b.test")
  expect(upstream.requests.at(-1)!.fields["x-forwarded-proto"]).toBe("https")
})

test("http2: false offers no h2", async () => {
  using client = await rawClient(h1only, { tls: { servername: "b.test", ALPNProtocols: ["h2", "http/1.1"] } })
  expect(client.alpn).toBe("http/1.1")
})
