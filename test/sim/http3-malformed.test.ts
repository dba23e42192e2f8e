import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { H3ServerConnection } from "../../src/http/index.ts"
import type { QuicConnection, QuicStream } from "../../src/net/index.ts"
import { World } from "./world.ts"

// Header sections that no client library sends (RFC 9114 sections 4.2 and 4.3), handed over as the runtime would.
afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const H3_MESSAGE_ERROR = 0x10e
const facts = { remoteAddress: "192.0.2.1", remotePort: 1, localAddress: "192.0.2.2", localPort: 443, serverName: "a.test", alpn: "h3" }

function ask(pairs: readonly string[]): { code: number; dials: number; sections: number; faults: string[] } {
  const world = new World()
  let code = -1
  let sections = 0
  const quic = { facts, goAway() {}, close() {} } as unknown as QuicConnection
  const stream = {
    id: 0,
    early: false,
    sendHeaders: () => {
      sections++
      return true
    },
    write: () => true,
    end() {},
    pause() {},
    resume() {},
    stopSending() {},
    abort: (given: number) => void (code = given),
  } as unknown as QuicStream
  const connection = new H3ServerConnection(quic, world)
  world.connections.add(connection)
  const request = connection.onStream(quic, stream)!
  request.onHeaders(stream, pairs, "initial")
  request.onEnd(stream)
  return { code, sections, dials: world.dials.length, faults: world.logged.map(({ fault }) => fault) }
}

const good = [":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/"]
const malformed: Record<string, readonly string[]> = {
  "a pseudo field twice": [...good, ":path", "/x"],
  "a pseudo field behind another field": [...good.slice(0, 6), "x", "1", ":path", "/"],
  "a pseudo field that nobody knows": [...good, ":foo", "1"],
  "one of an answer": [...good, ":status", "200"],
  "a name in upper case": [...good, "X-Up", "1"],
  "an empty name": [...good, "", "1"],
  "a blank in a name": [...good, "x y", "1"],
  "a colon in a name": [...good, "x:y", "1"],
  "NUL in a value": [...good, "x", "a\0b"],
  "CR and LF in a value": [...good, "x", "1\r\ny: 2"],
  "a blank at the end of a value": [...good, "x", "1 "],
  connection: [...good, "connection", "close"],
  "keep-alive": [...good, "keep-alive", "timeout=5"],
  "proxy-connection": [...good, "proxy-connection", "close"],
  "transfer-encoding": [...good, "transfer-encoding", "chunked"],
  upgrade: [...good, "upgrade", "h2c"],
  "te: gzip": [...good, "te", "gzip"],
  "two lengths": [...good, "content-length", "1", "content-length", "2"],
  "a length that is none": [...good, "content-length", "1x"],
  "a protocol without CONNECT": [...good, ":protocol", "websocket"],
  "nothing at all": [],
}

describe("a reset with H3_MESSAGE_ERROR, no answer, and nobody is dialled", () => {
  for (const [name, pairs] of Object.entries(malformed)) {
    test(name, () => expect(ask(pairs)).toEqual({ code: H3_MESSAGE_ERROR, sections: 0, dials: 0, faults: ["client.malformed"] }))
  }
  test("the one that is sound goes on", () => expect(ask(good)).toEqual({ code: -1, sections: 0, dials: 1, faults: [] }))
  test("te: trailers is sound", () => expect(ask([...good, "te", "trailers"])).toEqual({ code: -1, sections: 0, dials: 1, faults: [] }))
})
