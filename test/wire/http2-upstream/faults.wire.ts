import { describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { errorCode } from "../../support/h2/frames.ts"
import type { H2Exchange } from "../../support/h2/h2-exchange.ts"
import { h2Origin, type H2Script } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { until } from "../../support/wait.ts"

// O-29: what becomes of requests that an HTTP/2 peer gives back, drops or leaves behind (RFC 9113 sections 6.8 and 8.7).

const get = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
const post = "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody"

async function world(first: H2Script, second: H2Script | string = "second", cluster: object = {}) {
  const port = await freePort()
  const origins = [await h2Origin({ script: first }), await h2Origin({ script: second })] as const
  const proxy = await startBothways(
    reverseConfig(port, origins[0].address, {
      cluster: { peers: [origins[0].address, { address: origins[1].address, backup: true }], protocol: "http2", ...cluster },
    }),
  )
  return {
    port,
    proxy,
    origins,
    ask: async (text: string) => {
      using client = await rawClient(port)
      client.send(text)
      return await client.response()
    },
    [Symbol.asyncDispose]: async () => {
      await proxy.stop()
      for (const origin of origins) {
        expect(origin.violations).toEqual([])
        await origin.close()
      }
    },
  }
}

/** The last line of the log, once there are so many. */
const logged = (proxy: Bothways, count = 1) => until(() => proxy.log().length >= count && proxy.log()[count - 1])

const givenBack: Record<string, (exchange: H2Exchange) => void> = {
  "RST_STREAM with REFUSED_STREAM": exchange => exchange.reset(errorCode.refusedStream),
  "GOAWAY with a lower number": exchange => exchange.goaway(0),
  "GOAWAY in two steps": exchange => {
    exchange.goaway(2 ** 31 - 1)
    exchange.goaway(0)
  },
}

describe("a, b: given back unprocessed, it goes elsewhere", () => {
  for (const [name, script] of Object.entries(givenBack)) {
    for (const [method, text] of [
      ["GET", get],
      ["POST", post],
    ] as const) {
      test(`${name}, ${method}`, async () => {
        await using it = await world(script)
        for (let i = 0; i < 2; i++) expect(await it.ask(text)).toMatchObject({ status: 200, body: "second" })
        const bodies = await Promise.all(it.origins[1].requests.map(request => request.body()))
        expect(bodies).toEqual(method === "POST" ? ["body", "body"] : ["", ""])
        expect(it.origins[0].requests.length).toBe(2)
      })
    }
  }
  test("a single peer is asked once more", async () => {
    const port = await freePort()
    await using origin = await h2Origin({ script: exchange => (exchange.index === 0 ? exchange.goaway(0) : exchange.respond(200, "again")) })
    await using _proxy = await startBothways(reverseConfig(port, origin.address, { cluster: { protocol: "http2" } }))
    using client = await rawClient(port)
    client.send(post)
    expect(await client.response()).toMatchObject({ status: 200, body: "again" })
    expect(origin.connections.length).toBe(2)
  })
})

test("c: GOAWAY that names an open stream: that one ends well, the next goes over a new connection", async () => {
  const port = await freePort()
  const finish = Promise.withResolvers<void>()
  await using origin = await h2Origin({
    script: async exchange => {
      if (exchange.index > 0) return exchange.respond(200, "new")
      exchange.goaway()
      await finish.promise
      await exchange.respond(200, "old")
    },
  })
  await using proxy = await startBothways(reverseConfig(port, origin.address, { cluster: { protocol: "http2" } }))
  using first = await rawClient(port)
  first.send(get)
  await origin.connection().then(connection => connection.roundTrip())
  using second = await rawClient(port)
  second.send(post)
  expect((await second.response()).body).toBe("new")
  finish.resolve()
  expect((await first.response()).body).toBe("old")
  expect(origin.connections.length).toBe(2)
  expect(await origin.connections[0]!.closed()).toBe("fin")
  await logged(proxy, 2)
  expect(proxy.log().map(line => line.attempts)).toEqual([1, 1])
})

describe("d: RST_STREAM with INTERNAL_ERROR before the head", () => {
  test("GET is asked again, elsewhere", async () => {
    await using it = await world(exchange => exchange.reset(errorCode.internalError))
    expect(await it.ask(get)).toMatchObject({ status: 200, body: "second" })
  })
  test("POST is not", async () => {
    await using it = await world(exchange => exchange.reset(errorCode.internalError))
    expect((await it.ask(post)).status).toBe(502)
    expect(it.origins[1].requests.length).toBe(0)
    expect(await logged(it.proxy)).toMatchObject({ fault: "upstream.closed-early", status: 502 })
  })
})

describe("e: given back again and again", () => {
  for (const [method, text] of [
    ["GET", get],
    ["POST", post],
  ] as const) {
    test(method, async () => {
      const refuse: H2Script = exchange => exchange.reset(errorCode.refusedStream)
      await using it = await world(refuse, refuse)
      expect((await it.ask(text)).status).toBe(502)
      expect(it.origins[0].requests.length + it.origins[1].requests.length).toBe(2)
      expect(await logged(it.proxy)).toMatchObject({ fault: "upstream.stream-refused", attempts: 2 })
    })
  }
  test("an HTTP/2 client is not told that nothing was done", async () => {
    const refuse: H2Script = exchange => exchange.reset(errorCode.refusedStream)
    await using it = await world(refuse, refuse)
    using client = await rawH2Client(it.port)
    expect(await client.response(client.request())).toMatchObject({ status: 502, resetCode: null })
  })
})

test("a graceful restart, over and over, loses nothing, and says nothing about the peer's health", async () => {
  const port = await freePort()
  // Each connection serves a hundred and gives back what came on top.
  await using origin = await h2Origin({
    script: async exchange => {
      if (exchange.streamId === 199) exchange.goaway()
      if (exchange.streamId <= 199) await exchange.respond(200, "ok")
    },
  })
  const cluster = { protocol: "http2", health: { passive: { failures: 3, eject: "10s" } }, retry: { budget: 0 } }
  await using proxy = await startBothways(reverseConfig(port, origin.address, { cluster }))
  using client = await rawH2Client(port)
  for (let round = 0; round < 10; round++) {
    const ids = Array.from({ length: 60 }, (_, i) => client.request({ ":method": i % 2 ? "POST" : "GET" }, i % 2 ? { body: "x" } : {}))
    for (const id of ids) expect((await client.response(id)).status).toBe(200)
  }
  expect(proxy.log().filter(line => line.fault)).toEqual([])
})

describe("cut answers", () => {
  const cuts: Record<string, (exchange: H2Exchange) => void> = {
    RST_STREAM: exchange => exchange.reset(errorCode.internalError),
    "RST_STREAM with NO_ERROR": exchange => exchange.reset(errorCode.noError),
    "the connection's end": exchange => exchange.connection.fin(),
    "the connection's reset": exchange => exchange.connection.socket.resetAndDestroy(),
    "too few octets": exchange => void exchange.end(),
  }
  for (const [name, cut] of Object.entries(cuts)) {
    test(name, async () => {
      const script: H2Script = async exchange => {
        exchange.head(200, [["content-length", "100"]])
        await exchange.data("half")
        await exchange.connection.roundTrip()
        cut(exchange)
      }
      await using it = await world(script, script)
      await expect(it.ask(get)).rejects.toThrow("ended")
      using client = await rawH2Client(it.port)
      const { body, ended, resetCode } = await client.response(client.request())
      expect([body, ended, resetCode]).toEqual(["half", false, errorCode.internalError])
      const fault = name === "too few octets" ? "upstream.malformed-response" : "upstream.truncated"
      for (const count of [1, 2]) expect(await logged(it.proxy, count)).toMatchObject({ fault })
    })
  }
})
