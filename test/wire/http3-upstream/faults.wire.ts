import { createSocket } from "node:dgram"
import { describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { type H3Exchange, type H3Origin, h3Origin, type H3Script } from "../../support/h3/h3-origin.ts"
import { testSite } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { until } from "../../support/wait.ts"

// Peers over HTTP/3 that refuse, cut, vanish, or are not who they should be.
const get = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
const post = "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody"
const trusted = { ca: testSite().authority.ca.certFile, serverName: "a.test" }

async function world(peers: readonly string[], cluster: object = {}) {
  const port = await freePort()
  const proxy = await startBothways(
    reverseConfig(port, peers[0]!, {
      cluster: { peers: peers.map((address, i) => (i === 0 ? address : { address, backup: true })), protocol: "http3", tls: trusted, ...cluster },
    }),
  )
  return {
    port,
    proxy,
    ask: async (text: string) => {
      using client = await rawClient(port)
      client.send(text)
      return await client.response()
    },
    [Symbol.asyncDispose]: () => proxy.stop().then(() => {}),
  }
}

/** The last line of the log, once there are so many. */
const logged = (proxy: Bothways, count = 1) => until(() => proxy.log()[count - 1])

/** A UDP port that takes everything and answers nothing. */
async function silentPort(): Promise<{ address: string } & Disposable> {
  const socket = createSocket("udp4")
  await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve))
  return { address: `127.0.0.1:${socket.address().port}`, [Symbol.dispose]: () => socket.close() }
}

describe("given back unread: asked for elsewhere, whatever the method", () => {
  for (const [method, text] of [
    ["GET", get],
    ["POST", post],
  ] as const) {
    test(method, async () => {
      await using first = h3Origin({ script: exchange => exchange.reset(0x10b) })
      await using second = h3Origin({ script: async exchange => exchange.respond(200, `second ${await exchange.body()}`) })
      await using it = await world([first.address, second.address])
      expect(await it.ask(text)).toMatchObject({ status: 200, body: method === "POST" ? "second body" : "second " })
      expect((await logged(it.proxy))["attempts"]).toBe(2)
    })
  }
})

describe("reset before the head", () => {
  const script: H3Script = exchange => exchange.reset(0x102)
  test("GET is asked again, elsewhere", async () => {
    await using first = h3Origin({ script })
    await using second = h3Origin({ script: "second" })
    await using it = await world([first.address, second.address])
    expect(await it.ask(get)).toMatchObject({ status: 200, body: "second" })
  })
  test("POST is not", async () => {
    await using first = h3Origin({ script })
    await using second = h3Origin({ script: "second" })
    await using it = await world([first.address, second.address])
    expect((await it.ask(post)).status).toBe(502)
    expect(second.requests.length).toBe(0)
    expect(await logged(it.proxy)).toMatchObject({ fault: "upstream.closed-early", status: 502 })
  })
})

describe("cut answers are never whole", () => {
  const cuts: Record<string, (exchange: H3Exchange) => void> = {
    RST_STREAM: exchange => exchange.reset(0x102),
    "RESET_STREAM with NO_ERROR": exchange => exchange.stream.quic!.reset(0x100),
    "the connection's end with an error": exchange => exchange.connection.quic.close(0x102),
    "the connection's end in order": exchange => exchange.connection.quic.close(0x100),
    "too few octets": exchange => exchange.stream.quic!.end(),
    "too many octets": exchange => void exchange.stream.data("x".repeat(200), { end: true }),
  }
  test("each of them", async () => {
    await using origin = h3Origin({
      script: async exchange => {
        exchange.head(200, [["content-length", "100"]])
        await exchange.stream.data("half")
        await until(() => arrived)
        arrived = false
        cuts[decodeURI(exchange.path.slice(1))]!(exchange)
      },
    })
    // A cut before the head has gone on would be a 502.
    let arrived = false
    await using it = await world([origin.address])
    for (const name of Object.keys(cuts)) {
      const target = `/${encodeURI(name)}`
      using client = await rawClient(it.port)
      client.send(get.replace("/a", target))
      await until(() => client.received.endsWith("\r\n\r\nhalf"))
      arrived = true
      await expect(client.response("GET", 3000)).rejects.toThrow("ended")
      expect([name, client.received.endsWith("\r\n\r\nhalf") || name === "too many octets"]).toEqual([name, true])
      const line = await until(() => it.proxy.log().find(each => each["target"] === target))
      expect([name, ["upstream.truncated", "upstream.malformed-response"].includes(String(line["fault"]))]).toEqual([name, true])
      using other = await rawH2Client(it.port)
      const id = other.request({ ":path": target })
      await other.body(id, 4)
      arrived = true
      const { ended, resetCode } = await other.response(id)
      expect([name, ended, resetCode === null]).toEqual([name, false, false])
    }
  })
})

test("malformed answers", async () => {
  const answers: Record<string, [string, string][]> = {
    "/none": [["x", "1"]],
    "/short": [[":status", "20"]],
    "/lf": [
      [":status", "200"],
      ["x", "1\nx-more: 2"],
    ],
    "/101": [[":status", "101"]],
  }
  await using origin = h3Origin({ script: exchange => void exchange.stream.head(answers[exchange.path]!, "initial", true) })
  await using it = await world([origin.address])
  for (const path of Object.keys(answers)) {
    const { status, head } = await it.ask(get.replace("/a", path))
    expect([path, status, head.includes("x-more")]).toEqual([path, 502, false])
  }
})

describe("who does not answer", () => {
  test("a port that is silent: connect timeout, and the next peer", async () => {
    using silent = await silentPort()
    await using second = h3Origin({ script: "second" })
    await using it = await world([silent.address, second.address], { timeouts: { connect: "300ms" } })
    const at = performance.now()
    expect(await it.ask(post)).toMatchObject({ status: 200, body: "second" })
    expect(performance.now() - at).toBeLessThan(2000)
  })
  test("no other peer: 504 or 502 by the connect timeout, for many at once", async () => {
    using silent = await silentPort()
    await using it = await world([silent.address], { timeouts: { connect: "300ms" } })
    const answers = await Promise.all(Array.from({ length: 20 }, () => it.ask(get)))
    expect(answers.every(({ status }) => status >= 502)).toBe(true)
    expect((await logged(it.proxy))["fault"]).toBe("upstream.connect-timeout")
  })
  test("a port that is closed", async () => {
    const closed = await freePort()
    await using second = h3Origin({ script: "second" })
    await using it = await world([`127.0.0.1:${closed}`, second.address], { timeouts: { connect: "300ms" } })
    expect(await it.ask(get)).toMatchObject({ status: 200, body: "second" })
  })
  test("a peer that says nothing to a request: head timeout; its connection serves others", async () => {
    await using origin = h3Origin({ script: exchange => (exchange.path === "/a" ? undefined : exchange.respond(200, "ok")) })
    await using it = await world([origin.address], { timeouts: { head: "300ms" }, retry: { attempts: 1 } })
    expect((await it.ask(get)).status).toBe(504)
    expect(await logged(it.proxy)).toMatchObject({ fault: "upstream.head-timeout" })
    expect((await it.ask(get.replace("/a", "/b"))).body).toBe("ok")
    expect(origin.connections.length).toBe(1)
    await until(() => origin.requests[0]!.stream.resetCode !== null || origin.requests[0]!.stream.closed !== null)
  })
})

test("certificates: of another name or authority are refused, and nothing is asked", async () => {
  await using otherName = h3Origin({ site: testSite().authority.issue(["b.test"]) })
  await using otherAuthority = h3Origin({ site: new Authority("another").issue(["a.test"]) })
  const port = await freePort()
  const cluster = (origin: H3Origin, tls: object) => ({ peers: [origin.address], protocol: "http3", tls })
  const clusters = { name: cluster(otherName, trusted), authority: cluster(otherAuthority, trusted), anybody: cluster(otherName, { verify: false }) }
  const routes = Object.keys(clusters).map(name => ({ match: { path: `/${name}` }, to: { cluster: name } }))
  await using proxy = await startBothways({ listeners: { web: { bind: `127.0.0.1:${port}` } }, clusters, routes })
  const ask = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`)).status
  expect([await ask("/name"), await ask("/authority")]).toEqual([502, 502])
  expect([otherName.requests.length, otherAuthority.requests.length]).toEqual([0, 0])
  await until(() => proxy.log().length === 2)
  expect(proxy.log().map(line => line["fault"])).toEqual(["upstream.tls-failed", "upstream.tls-failed"])
  expect(await ask("/anybody")).toBe(200)
})
