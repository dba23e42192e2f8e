import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { DnsServer } from "../../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../../support/bothways.ts"
import { testSite } from "../../../support/h3/secure-config.ts"
import type { ResponseMessage } from "../../../support/message.ts"
import { freePorts } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { recorder } from "../../../support/recorder.ts"
import { scriptedServer } from "../../../support/scripted-server.ts"
import { answer, ask, isHit } from "../cached-origin.ts"

// A cache beside what else a route can do on the way: TLS in place of plain http, a parent proxy, passwords of the proxy's own.

const { authority } = testSite()
const { cert, key } = authority.issue(["way.test"])
const lifetime = ["Cache-Control: max-age=600"]
const secure = await scriptedServer(answer("over TLS", lifetime), { tls: { cert, key } })
const parent = await recorder(answer("from the parent", lifetime))
const peer = await recorder(answer("behind a password", lifetime))
const dns = await DnsServer.start()
dns.say("way.test", { a: ["127.0.0.1"] })
const htpasswd = join(temporaryFolder("cache-ways"), "users")
// demo, demo
writeFileSync(htpasswd, "demo:{SHA}ieSV55Qc+eQOaYDRSha/AjzNTJE=\n")
const known = Buffer.from("demo:demo").toString("base64")

const [sidecar, child, guarded, site] = (await freePorts(4)) as [number, number, number, number]
const forward = { privateRanges: "allow", ports: ["80", "1025-65535"] }
const filters = [{ cache: { store: "main" } }]
const proxy = await startBothways({
  listeners: {
    sidecar: { bind: `127.0.0.1:${sidecar}`, forward },
    child: { bind: `127.0.0.1:${child}`, forward },
    guarded: { bind: `127.0.0.1:${guarded}`, forward: { ...forward, auth: { htpasswd } } },
    site: { bind: `127.0.0.1:${site}` },
  },
  resolver: { servers: [dns.address] },
  clusters: { parents: { peers: [parent.address] }, a: { peers: [peer.address] } },
  caches: { main: { memory: "8MB" } },
  routes: [
    { match: { listener: "sidecar" }, filters, to: { origin: { upgrade: { tls: true, http: "http1", ca: authority.ca.certFile } } } },
    { match: { listener: "child" }, filters, to: { origin: { via: "parents" } } },
    { match: { listener: "guarded" }, filters, to: { origin: {} } },
    { match: { listener: "site" }, filters: [...filters, { "basic-auth": { htpasswd } }], to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  dns.stop()
  for (const server of [secure, parent.server, peer.server]) await server.close()
})

async function forwarded(port: number, authority: string, fields: string[] = []): Promise<ResponseMessage> {
  using client = await rawClient(port)
  client.send([`GET http://${authority}/ HTTP/1.1`, `Host: ${authority}`, ...fields, "\r\n"].join("\r\n"))
  return await client.response()
}

describe("a cache", () => {
  test("of a sidecar keeps what came over TLS", async () => {
    const responses = [await forwarded(sidecar, `way.test:${secure.port}`), await forwarded(sidecar, `way.test:${secure.port}`)]
    expect(responses.map(({ body }) => body)).toEqual(["over TLS", "over TLS"])
    expect(responses.map(isHit)).toEqual([false, true])
    expect(secure.received.match(/^GET /gm)).toHaveLength(1)
  })

  test("in front of a parent proxy asks it for what it does not have", async () => {
    const responses = [await forwarded(child, "some.test"), await forwarded(child, "some.test")]
    expect([...responses.map(isHit), parent.requests.map(({ start }) => start)]).toEqual([false, true, ["GET http://some.test/ HTTP/1.1"]])
  })

  test("of a forward proxy with passwords is for all who have one, and for nobody else", async () => {
    const mine = [`Proxy-Authorization: Basic ${known}`]
    const responses = [
      await forwarded(guarded, peer.address, mine),
      await forwarded(guarded, peer.address, mine),
      await forwarded(guarded, peer.address),
    ]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 407])
    expect(isHit(responses[1]!)).toBe(true)
  })

  test("of a site with passwords of the proxy's own, too", async () => {
    const mine = [`Authorization: Basic ${known}`]
    const responses = [
      await ask(site, "/", mine),
      await ask(site, "/", mine),
      await ask(site, "/"),
      await ask(site, "/", ["Authorization: Basic ZGVtbzp4"]),
    ]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 401, 401])
    expect(isHit(responses[1]!)).toBe(true)
  })
})
