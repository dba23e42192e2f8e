import { afterAll, describe, expect, test } from "bun:test"
import { Authority } from "../certificates.ts"
import { startNginx } from "../peers.ts"
import { freePorts } from "../ports.ts"
import { errorCode, flag, frame, frameType, setting, settingsFrame, windowUpdateFrame } from "./frames.ts"
import { startNodeH2 } from "./node-h2-peer.ts"
import { rawH2Client } from "./raw-h2-client.ts"

const [plain, secure, nginxPlain, nginxSecure] = (await freePorts(4)) as [number, number, number, number]
const certificate = new Authority().issue(["a.test"])
const nginxServer = `server {
  listen 127.0.0.1:${nginxPlain} http2; listen 127.0.0.1:${nginxSecure} ssl http2;
  ssl_certificate ${certificate.certFile}; ssl_certificate_key ${certificate.keyFile};
  location / { return 200 "hello from nginx"; } }`
const peers = await Promise.all([startNodeH2(plain), startNodeH2(secure, { certificate }), startNginx(nginxPlain, nginxServer)])
afterAll(() => Promise.all(peers.map(peer => peer.stop())).then(() => {}))

const targets = [
  { name: "node by prior knowledge", port: plain, tls: undefined, body: "hello from node" },
  { name: "node with TLS", port: secure, tls: { servername: "a.test" }, body: "hello from node" },
  { name: "nginx by prior knowledge", port: nginxPlain, tls: undefined, body: "hello from nginx" },
  { name: "nginx with TLS", port: nginxSecure, tls: { servername: "a.test" }, body: "hello from nginx" },
]

for (const { name, port, tls, body } of targets)
  describe(name, () => {
    const open = (options = {}) => rawH2Client(port, { ...(tls && { tls }), ...options })

    test("requests and responses, twice on one connection and in every representation", async () => {
      using client = await open()
      expect(client.alpn).toBe(tls ? "h2" : "")
      const first = client.request()
      const second = client.request({ ":path": "/x" }, { as: "added", huffman: true })
      const third = client.request({ ":path": "/y", cookie: "a" }, { as: "never", pad: 7, priority: { weight: 3 } })
      for (const id of [first, second, third]) {
        const response = await client.response(id)
        expect([response.status, response.body, response.ended, response.resetCode]).toEqual([200, body, true, null])
      }
      expect([first, second, third]).toEqual([1, 3, 5])
      await client.settled()
      expect(client.peerSettings.has(setting.maxConcurrentStreams)).toBe(true)
      expect(client.violations).toEqual([])
    })

    test("a window of our own making is kept to, and opened by hand", async () => {
      using client = await open({ settings: { initialWindowSize: 4 }, updateWindows: false })
      await client.settled()
      const id = client.request()
      expect(await client.body(id, 4)).toBe(body.slice(0, 4))
      await client.roundTrip()
      expect(client.stream(id).bodyLength).toBe(4)
      client.windowUpdate(id, 100)
      expect((await client.response(id)).body).toBe(body)
      expect(client.violations).toEqual([])
    })

    test("what is wrong ends the connection with its code", async () => {
      using client = await open()
      client.send(frame(frameType.settings, 0, 0, "12345"))
      expect((await client.goneAway()).code).toBe(errorCode.frameSizeError)
      // Node leaves the closing to us.
      if (name.startsWith("nginx")) expect(await client.closed()).not.toBe("open")
      await expect(client.roundTrip(100)).rejects.toThrow("GOAWAY stream=0")
    })

    test("without preface nothing is sent by itself", async () => {
      using client = await open({ preface: false })
      client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
      client.send(settingsFrame([[setting.enablePush, 0]]))
      await client.frame(each => each.type === frameType.settings && each.flags === flag.ack)
    })
  })

describe("node", () => {
  test("a body, trailers and interim responses", async () => {
    using client = await rawH2Client(plain)
    const id = client.request({ ":method": "POST", ":path": "/echo" }, { end: false })
    client.data(id, "one ")
    client.data(id, "two", { pad: 5 })
    client.headers(id, { "x-sum": "7" }, { end: true })
    expect(await client.response(id)).toMatchObject({ status: 200, body: "one two", trailers: { "x-sum": "7" }, informational: [] })
    const hints = await client.response(client.request({ ":path": "/hints" }))
    expect(hints).toMatchObject({ status: 200, body: "hello from node", informational: [{ ":status": "103", link: "</a.css>; rel=preload" }] })
    expect(hints.fields.filter(([name]) => name === "set-cookie")).toEqual([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ])
    expect(hints.headers["set-cookie"]).toBe("a=1, b=2")
  })

  test("bodies larger than every window, both ways", async () => {
    using client = await rawH2Client(plain)
    const body = "0123456789".repeat(100_000)
    const up = client.request({ ":method": "POST", ":path": "/echo" }, { body })
    const down = client.request({ ":path": "/big/1000000" })
    expect((await client.response(up)).body === body).toBe(true)
    expect((await client.response(down)).body.length).toBe(1_000_000)
    expect(client.violations).toEqual([])
  })

  test("without our WINDOW_UPDATE a body stops at 65535 octets, until it comes", async () => {
    using client = await rawH2Client(plain, { updateWindows: false })
    const id = client.request({ ":path": "/big/70000" })
    await client.body(id, 65_535)
    await client.roundTrip()
    expect(client.stream(id).bodyLength).toBe(65_535)
    client.windowUpdate(0, 5000)
    client.windowUpdate(id, 5000)
    expect((await client.response(id)).body.length).toBe(70_000)
  })

  test("resets and GOAWAY", async () => {
    using client = await rawH2Client(plain)
    const id = client.request({ ":path": "/reset" })
    expect(await client.resetOf(id)).toBe(errorCode.cancel)
    expect((await client.response(id)).resetCode).toBe(errorCode.cancel)
    const hanging = client.request({ ":method": "POST", ":path": "/echo" }, { end: false })
    client.reset(hanging)
    await client.roundTrip()
    await client.response(client.request({ ":path": "/goaway" }))
    expect((await client.goneAway()).code).toBe(errorCode.noError)
  })

  test("a head above one frame goes on in CONTINUATION", async () => {
    using client = await rawH2Client(plain)
    const id = client.request({ "x-long": "x".repeat(20_000) })
    expect((await client.response(id)).status).toBe(200)
  })
})

test("a peer that exceeds our window is found out", async () => {
  using client = await rawH2Client(plain, { updateWindows: false })
  await client.settled()
  const id = client.openStream()
  client.headers(id, { ":method": "GET", ":scheme": "http", ":path": "/big/9", ":authority": "a.test" }, { end: true })
  // The tool is made to believe that it granted less than it did.
  client.rules.granted(0, -65_530)
  client.send(windowUpdateFrame(0, 1))
  await client.response(id)
  expect(client.violations.join()).toContain("beyond the connection's window")
})

test("a wait that fails shows what came", async () => {
  using client = await rawH2Client(plain)
  await client.roundTrip()
  await expect(client.head(1, 50)).rejects.toThrow(/head of stream 1 did not come; frames:\nSETTINGS stream=0/)
})
