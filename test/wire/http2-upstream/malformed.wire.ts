import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import {
  errorCode,
  frame,
  frameType,
  goawayFrame,
  headersFrame,
  pushPromiseFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../../support/h2/frames.ts"
import type { H2Exchange } from "../../support/h2/h2-exchange.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import type { Fields } from "../../support/h2/header-block.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// A peer that breaks the rules costs the request that met it a 502 and nobody else anything (RFC 9113 sections 5.4, 8.1.1 and 8.3).

type Break = (exchange: H2Exchange) => Promise<void> | void
const heads: Record<string, Fields> = {
  "a name in upper case": [
    [":status", "200"],
    ["X-Upper", "1"],
  ],
  connection: [
    [":status", "200"],
    ["connection", "close"],
  ],
  "transfer-encoding": [
    [":status", "200"],
    ["transfer-encoding", "chunked"],
  ],
  "keep-alive": [
    [":status", "200"],
    ["keep-alive", "timeout=5"],
  ],
  upgrade: [
    [":status", "200"],
    ["upgrade", "h2c"],
  ],
  "no :status": [["x-a", "1"]],
  "two :status": [
    [":status", "200"],
    [":status", "200"],
  ],
  ":status behind a field": [
    ["x-a", "1"],
    [":status", "200"],
  ],
  "another pseudo field": [
    [":status", "200"],
    [":path", "/"],
  ],
  "status 101": [[":status", "101"]],
  "status 20": [[":status", "20"]],
  "status 2000": [[":status", "2000"]],
  "status 2x0": [[":status", "2x0"]],
  "status 099": [[":status", "099"]],
  "CR LF in a value": [
    [":status", "200"],
    ["x-a", "1\r\nx-b: 2"],
  ],
  "NUL in a value": [
    [":status", "200"],
    ["x-a", "1\0"],
  ],
  "a space before a value": [
    [":status", "200"],
    ["x-a", " 1"],
  ],
  "a space in a name": [
    [":status", "200"],
    ["x a", "1"],
  ],
  "an empty name": [
    [":status", "200"],
    ["", "1"],
  ],
  "content-length that is no number": [
    [":status", "200"],
    ["content-length", "seven"],
  ],
  "two lengths": [
    [":status", "200"],
    ["content-length", "3"],
    ["content-length", "5"],
  ],
}
const streams: Record<string, Break> = {
  "END_STREAM on 103": exchange => exchange.head(103, [], { end: true }),
  "DATA before the head": exchange => exchange.data("hello"),
  "the end before the head": exchange => exchange.end(),
  "content-length and no body": exchange => exchange.head(200, [["content-length", "5"]], { end: true }),
  "twenty 1xx": exchange => {
    for (let i = 0; i < 20; i++) exchange.informational(103)
  },
}
const connections: Record<string, readonly [code: number, break_: Break]> = {
  "HPACK that ends too early": [
    errorCode.compressionError,
    ({ connection, streamId }) => connection.send(headersFrame(streamId, "\x40\x05x", { end: true })),
  ],
  "an HPACK index beyond the table": [
    errorCode.compressionError,
    ({ connection, streamId }) => connection.send(headersFrame(streamId, "\xff\xff\x03", { end: true })),
  ],
  PUSH_PROMISE: [errorCode.protocolError, ({ connection, streamId }) => connection.send(pushPromiseFrame(streamId, 2, "\x88"))],
  "HEADERS of a stream of its own": [errorCode.protocolError, ({ connection }) => connection.send(headersFrame(2, "\x88", { end: true }))],
  "DATA on stream 0": [errorCode.protocolError, ({ connection }) => connection.send(frame(frameType.data, 0, 0, "x"))],
  "a frame over 16384 octets": [
    errorCode.frameSizeError,
    ({ connection, streamId }) => connection.send(frame(frameType.data, 0, streamId, Buffer.alloc(20_000))),
  ],
  "WINDOW_UPDATE by 0": [errorCode.protocolError, ({ connection }) => connection.send(windowUpdateFrame(0, 0))],
  "a window over 2^31": [errorCode.flowControlError, ({ connection }) => connection.send(windowUpdateFrame(0, 2 ** 31 - 1))],
  "a setting out of range": [errorCode.flowControlError, ({ connection }) => connection.send(settingsFrame([[4, 2 ** 31]]))],
  "SETTINGS_ENABLE_PUSH of 1, which no server says": [errorCode.protocolError, ({ connection }) => connection.send(settingsFrame([[2, 1]]))],
  "DATA inside a header section": [
    errorCode.protocolError,
    ({ connection, streamId }) => {
      connection.send(headersFrame(streamId, "\x88", { endHeaders: false }))
      connection.send(frame(frameType.data, 0, streamId, "x"))
    },
  ],
}

/** The other client's request, whose answer waits until the mistake has been made. */
let bystander: H2Exchange | null = null
const [port] = (await freePorts(1)) as [number]
const origin = await h2Origin({
  script: async exchange => {
    const name = decodeURIComponent(exchange.path.slice(1))
    if (name === "bystander" && bystander === null) bystander = exchange
    else if (name in heads) exchange.connection.headers(exchange.streamId, heads[name]!)
    else if (name in streams) await streams[name]!(exchange)
    else if (name in connections) connections[name]![1](exchange)
    else await exchange.respond(200, "fine")
  },
})
const proxy = await startBothways(reverseConfig(port, origin.address, { cluster: { protocol: "http2", health: { passive: "off" } } }))
afterAll(async () => {
  await proxy.stop()
  await origin.close()
})

async function ask(name: string) {
  using client = await rawClient(port)
  client.send(`GET /${encodeURIComponent(name)} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  for (;;) {
    const response = await client.response()
    if (response.status >= 200) return response
  }
}

/** Asks for an answer that stays open, then for the bad one on the same connection. */
async function beside(name: string) {
  bystander = null
  const other = ask("bystander")
  const waiting = await until(() => bystander)
  const { status } = await ask(name)
  const connection = waiting.connection
  if (connection.ending === "open") void waiting.respond(200, "fine").catch(() => {})
  const line = await until(() => proxy.log().findLast(each => each.target === `/${encodeURIComponent(name)}`))
  return { status, other: await other, connection, fault: line.fault }
}

describe("the stream ends, and the connection goes on", () => {
  for (const name of [...Object.keys(heads), ...Object.keys(streams)]) {
    test(name, async () => {
      const { status, other, connection, fault } = await beside(name)
      expect([status, fault]).toEqual([502, "upstream.malformed-response"])
      expect(other).toMatchObject({ status: 200, body: "fine" })
      const { streamId } = origin.requests.at(-1)!
      expect(await connection.resetOf(streamId)).toBe(errorCode.protocolError)
      expect((await ask("next")).body).toBe("fine")
      expect(connection.ending).toBe("open")
    })
  }
  test("trailers with a pseudo field or one of the connection, and trailers that end nothing: the answer is cut", async () => {
    const trailers: [fields: Fields, end: boolean][] = [
      [[[":status", "200"]], true],
      [[["connection", "close"]], true],
      [[["x-a", "1"]], false],
    ]
    for (const [fields, end] of trailers) {
      await using spoiler = await h2Origin({
        script: async exchange => {
          exchange.head(200)
          await exchange.data("half")
          exchange.connection.headers(exchange.streamId, fields, { end })
        },
      })
      const [own] = (await freePorts(1)) as [number]
      await using _proxy = await startBothways(reverseConfig(own, spoiler.address, { cluster: { protocol: "http2" } }))
      using client = await rawClient(own)
      client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
      await expect(client.response()).rejects.toThrow("ended")
    }
  })
  test("more octets than content-length said: the answer is cut after those", async () => {
    await using spoiler = await h2Origin({
      script: async exchange => {
        exchange.head(200, [["content-length", "4"]])
        await exchange.connection.roundTrip()
        await exchange.data("four and more", { end: true })
      },
    })
    const [own] = (await freePorts(1)) as [number]
    await using _proxy = await startBothways(reverseConfig(own, spoiler.address, { cluster: { protocol: "http2" } }))
    using client = await rawClient(own)
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.toEnd()).split("\r\n\r\n")[1]).toBe("")
    expect(await spoiler.requests[0]!.connection.resetOf(1)).toBe(errorCode.protocolError)
  })
})

describe("the connection ends, and the other request is asked again", () => {
  for (const [name, [code]] of Object.entries(connections)) {
    test(name, async () => {
      const { status, other, connection } = await beside(name)
      expect(status).toBe(502)
      expect(other).toMatchObject({ status: 200, body: "fine" })
      expect((await connection.goneAway(0).catch(() => connection.goaways[0]!)).code).toBe(code)
      expect(await connection.closed()).not.toBe("open")
      expect((await ask("next")).body).toBe("fine")
    })
  }
})

describe("peers that do not speak HTTP/2", () => {
  for (const [name, first] of [
    ["HTTP/1.1", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"],
    ["nothing but the end", ""],
    ["GOAWAY before SETTINGS", goawayFrame(0, 0).toString("latin1")],
  ] as const) {
    test(name, async () => {
      await using server = await scriptedServer(async connection => {
        await connection.bytes(24)
        connection.send(first)
        connection.fin()
      })
      const [own] = (await freePorts(1)) as [number]
      await using _proxy = await startBothways(reverseConfig(own, server.address, { cluster: { protocol: "http2" } }))
      const startedAt = performance.now()
      const all = Array.from({ length: 50 }, async (_, i) => {
        using client = await rawClient(own)
        client.send(`${i % 2 ? "POST" : "GET"} / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n`)
        return (await client.response()).status
      })
      expect(new Set(await Promise.all(all))).toEqual(new Set([502]))
      expect(performance.now() - startedAt).toBeLessThan(2500)
    })
  }
})
