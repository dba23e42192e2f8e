import { afterAll, describe, expect, test } from "bun:test"
import { createServer, type TLSSocket } from "node:tls"
import type { AddressInfo } from "node:net"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"

const dns = await DnsServer.start()
const plain = await DnsServer.start()
const authority = new Authority()
const pair = authority.issue(["dns.test"])
const dot = createServer({ cert: pair.cert, key: pair.key }, (socket: TLSSocket) => {
  let received = Buffer.alloc(0)
  socket.on("error", () => {})
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      dns.take(Uint8Array.from(received.subarray(2, end)), "secure", 0, answer =>
        socket.write(Buffer.concat([Uint8Array.of(answer.length >>> 8, answer.length & 255), answer])),
      )
      received = received.subarray(end)
    }
  })
})
await new Promise<void>(done => dot.listen(0, "127.0.0.1", done))
const origin = await recorder()
const [port] = (await freePorts(1)) as [number]
const proxy = await startBothways({
  listeners: { egress: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", connectPorts: [origin.port] } } },
  lists: { bad: { names: ["blocked.test"] } },
  resolver: {
    servers: [{ url: `tls://dns.test:${(dot.address() as AddressInfo).port}`, addresses: "127.0.0.1", ca: authority.ca.certFile }],
    domains: { "corp.test": plain.address },
    block: "bad",
    timeout: "2s",
  },
  routes: [{ to: { origin: {} }, timeouts: { connect: "5s" } }],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
  dot.close()
  dns.stop()
  plain.stop()
})

const status = async (host: string): Promise<string> =>
  (await run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-x", `http://127.0.0.1:${port}`, `http://${host}:${origin.port}/`)).stdout

describe("names", () => {
  test("are asked for over TLS, those of a domain at its own server", async () => {
    dns.say("a.test", { a: ["127.0.0.1"] })
    plain.say("x.corp.test", { a: ["127.0.0.1"] })
    expect([await status("a.test"), await status("x.corp.test"), await status("none.test")]).toEqual(["200", "200", "502"])
    expect(dns.queries.every(({ transport }) => transport === "secure")).toBe(true)
    expect([dns.count("x.corp.test"), plain.count("a.test")]).toEqual([0, 0])
  })

  test("of a list are asked for nowhere, in a URL and in a CONNECT", async () => {
    dns.say("www.blocked.test", { a: ["127.0.0.1"] })
    expect(await status("www.blocked.test")).toBe("403")
    using client = await rawClient(port)
    client.send(`CONNECT www.blocked.test:${origin.port} HTTP/1.1\r\nHost: www.blocked.test\r\n\r\n`)
    const refused = await client.response()
    expect([refused.status, refused.body.includes("proxy.name-blocked")]).toEqual([403, true])
    expect(dns.count("www.blocked.test")).toBe(0)
  })

  test("an address that says nothing is joined by the next one soon (RFC 8305)", async () => {
    // 240.0.0.0/4 is no place that this machine can reach or refuse: packets to it get lost or fail at once; both must lead to the next address.
    dns.say("eyes.test", { a: ["240.0.0.1", "127.0.0.1"], aaaa: ["100::1"] })
    const begin = performance.now()
    expect(await status("eyes.test")).toBe("200")
    expect(performance.now() - begin).toBeLessThan(3000)
  })
})
