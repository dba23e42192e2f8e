import { describe, expect, test } from "bun:test"
import { connect } from "node:http2"
import { Authority } from "../certificates.ts"
import { run } from "../run.ts"
import { until } from "../wait.ts"
import { errorCode, setting } from "./frames.ts"
import { h2Origin } from "./h2-origin.ts"
import { rawH2Client } from "./raw-h2-client.ts"

describe("to clients that others wrote", () => {
  test("h2load finds every response whole", async () => {
    await using origin = await h2Origin({ script: "x".repeat(1000), settings: { maxConcurrentStreams: 10 } })
    const { stdout } = await run("h2load", "-n", "300", "-c", "3", "-m", "10", `http://${origin.address}/`)
    expect(stdout).toContain("300 succeeded, 0 failed, 0 errored")
    expect(origin.requests.length).toBe(300)
    expect(origin.connections.map(({ mostStreams }) => mostStreams)).toEqual([10, 10, 10])
    expect(origin.violations).toEqual([])
  })

  test("h2load with TLS, uploads and bodies beyond the windows", async () => {
    const { cert, key } = new Authority().issue(["127.0.0.1"])
    await using origin = await h2Origin({ tls: { cert, key }, script: async each => each.respond(200, await each.body()) })
    const file = import.meta.path
    const { stdout } = await run("h2load", "-n", "20", "-c", "2", "-m", "4", "-d", file, `https://${origin.address}/`)
    expect(stdout).toContain("20 succeeded, 0 failed, 0 errored")
    expect(await origin.requests[0]!.body()).toBe(Buffer.from(await Bun.file(file).bytes()).toString("latin1"))
    expect(origin.violations).toEqual([])
  })

  test("curl reads interim responses and trailers, and sends a body", async () => {
    await using origin = await h2Origin({
      script: async exchange => {
        exchange.informational(103, { link: "</a>" })
        await exchange.respond(201, `got ${await exchange.body()}`, { "x-a": "b" }, { "x-trailer": "t" })
      },
    })
    const { stdout } = await run("curl", "-si", "--http2-prior-knowledge", "-d", "hello", `http://${origin.address}/p?q`)
    const parts = ["HTTP/2 103", "link: </a>", "HTTP/2 201", "x-a: b", "got hello", "x-trailer: t"]
    expect(parts.filter(part => !stdout.includes(part))).toEqual([])
    expect(origin.requests[0]).toMatchObject({ method: "POST", path: "/p?q", index: 0, streamId: 1 })
  })

  test("node:http2 of this runtime", async () => {
    await using origin = await h2Origin({ script: "hello" })
    const session = connect(`http://${origin.address}`)
    const stream = session.request({ ":path": "/n" })
    let body = ""
    stream.setEncoding("latin1").on("data", chunk => (body += chunk))
    await new Promise(resolve => stream.on("end", resolve))
    session.destroy()
    expect([body, origin.requests[0]!.path]).toEqual(["hello", "/n"])
  })
})

describe("scripts", () => {
  test("data with pauses of the test's own, and a head alone", async () => {
    const { promise: more, resolve: goOn } = Promise.withResolvers<void>()
    await using origin = await h2Origin({
      script: async exchange => {
        if (exchange.path === "/bare") return exchange.head(204, [], { end: true })
        exchange.head(200)
        await exchange.data("one")
        await more
        await exchange.data("two", { end: true })
      },
    })
    using client = await rawH2Client(origin.port)
    const id = client.request()
    expect(await client.body(id, 3)).toBe("one")
    expect((await client.response(client.request({ ":path": "/bare" }))).status).toBe(204)
    goOn()
    expect((await client.response(id)).body).toBe("onetwo")
  })

  test("resets, GOAWAY, and no answer at all", async () => {
    await using origin = await h2Origin({
      script: exchange => {
        if (exchange.path === "/reset") exchange.reset(errorCode.refusedStream)
        if (exchange.path === "/goaway") exchange.goaway(1)
      },
    })
    using client = await rawH2Client(origin.port)
    const silent = client.request({ ":path": "/silent" })
    expect(await client.resetOf(client.request({ ":path": "/reset" }))).toBe(errorCode.refusedStream)
    client.request({ ":path": "/goaway" })
    expect(await client.goneAway()).toEqual({ lastStreamId: 1, code: errorCode.noError, debug: "" })
    await client.roundTrip()
    expect(client.stream(silent).head).toEqual([])
    expect((await origin.connection()).openStreams).toEqual([1, 5])
  })

  test("withheld WINDOW_UPDATE stops an upload at 65535 octets, until the script opens it", async () => {
    await using origin = await h2Origin({
      updateWindows: false,
      script: async exchange => exchange.respond(200, String((await exchange.body()).length)),
    })
    using client = await rawH2Client(origin.port)
    const id = client.request({ ":method": "POST" }, { body: "x".repeat(70_000) })
    const exchange = await origin.request()
    await exchange.body(65_535)
    await client.roundTrip()
    expect(exchange.stream.bodyLength).toBe(65_535)
    exchange.connection.windowUpdate(0, 10_000)
    exchange.connection.windowUpdate(id, 10_000)
    expect((await client.response(id)).body).toBe("70000")
    expect(origin.violations).toEqual([])
  })

  test("streams beyond the limit are noted and refused", async () => {
    await using origin = await h2Origin({ settings: { maxConcurrentStreams: 1 }, script: () => {} })
    using client = await rawH2Client(origin.port)
    await client.roundTrip()
    client.request()
    expect(await client.resetOf(client.request())).toBe(errorCode.refusedStream)
    expect(origin.violations).toEqual(["stream 3: 2 at once"])
    expect(client.peerSettings.get(setting.maxConcurrentStreams)).toBe(1)
  })

  test("extended CONNECT carries octets both ways", async () => {
    await using origin = await h2Origin({
      settings: { enableConnectProtocol: 1 },
      script: async exchange => {
        exchange.head(200)
        await exchange.data(`${exchange.protocol} got ${await exchange.body(4)}`)
      },
    })
    using client = await rawH2Client(origin.port)
    const id = client.request({ ":method": "CONNECT", ":protocol": "websocket" }, { end: false })
    client.data(id, "ping")
    expect(await client.body(id, 18)).toBe("websocket got ping")
    expect(client.peerSettings.get(setting.enableConnectProtocol)).toBe(1)
  })

  test("a connection in the test's own hands", async () => {
    await using origin = await h2Origin({ onConnection: (connection, index) => void (index === 0 && connection.destroy()) })
    using first = await rawH2Client(origin.port)
    await first.closed()
    using second = await rawH2Client(origin.port, { settings: { initialWindowSize: 1 } })
    expect((await second.response(second.request())).body).toBe("ok")
    await until(() => origin.count("settings") >= 2)
    expect(origin.count("windowUpdate", ({ streamId }) => streamId === 1)).toBe(1)
  })

  test("SETTINGS that are not acknowledged, and PING that is not answered", async () => {
    await using origin = await h2Origin({ settings: { initialWindowSize: 10 } })
    using client = await rawH2Client(origin.port, { ackSettings: false, ackPings: false })
    await client.response(client.request())
    const connection = await origin.connection()
    await expect(connection.settled(50)).rejects.toThrow("acknowledgement")
    await expect(connection.roundTrip(50)).rejects.toThrow("answer to ping")
    client.ackPings = true
    await connection.roundTrip()
  })

  test("a client that breaks the rules is found out", async () => {
    await using origin = await h2Origin()
    using client = await rawH2Client(origin.port)
    const id = client.request([
      [":method", "GET"],
      ["X-Upper", "1"],
      [":path", "/"],
      ["connection", "close"],
    ])
    await client.response(id)
    client.data(id, "late")
    await client.roundTrip()
    expect(origin.violations).toEqual([
      "stream 1: upper case in X-Upper",
      "stream 1: :path after a regular field",
      "stream 1: connection: close",
      "after the end of the stream: DATA stream=1 flags=0x0 length=4",
    ])
  })
})
