import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { errorCode, frame, frameType, type Octets, settingsFrame } from "../../support/h2/frames.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// Rules that no public suite asks about.
const port = await freePort()
const upstream = await scriptedServer(connection => connection.toEnd(3_600_000).then(() => {}))
const proxy = await startBothways(reverseConfig(port, upstream.address, { listener: { limits: { requestsMax: 1 } } }))
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

const priorityUpdate = (payload: Octets, streamId = 0): Buffer => frame(16, 0, streamId, payload)
const noPriorities = (value: number): Buffer => settingsFrame([[9, value]])
const { protocolError, frameSizeError } = errorCode

describe("the connection ends, and says why", () => {
  const broken: [name: string, code: number, bytes: Buffer][] = [
    // RFC 9218 sections 2.1 and 7.1
    ["PRIORITY_UPDATE of stream 0", protocolError, priorityUpdate("\0\0\0\0u=1")],
    ["PRIORITY_UPDATE of a push that nobody has promised", protocolError, priorityUpdate("\0\0\0\x02u=1")],
    ["PRIORITY_UPDATE on a stream", protocolError, priorityUpdate("\0\0\0\x01u=1", 1)],
    ["PRIORITY_UPDATE that is too short", frameSizeError, priorityUpdate("\0\0\0")],
    ["SETTINGS_NO_RFC7540_PRIORITIES of 2", protocolError, noPriorities(2)],
    ["SETTINGS_NO_RFC7540_PRIORITIES that changes", protocolError, Buffer.concat([noPriorities(1), noPriorities(0)])],
    // RFC 9113 section 4.2
    ["HEADERS without room for its priority", frameSizeError, frame(frameType.headers, 0x25, 1, "\0\0\0\0")],
    ["HEADERS without room for its padding's length", frameSizeError, frame(frameType.headers, 0xd, 1, "")],
  ]
  for (const [name, code, bytes] of broken) {
    test(name, async () => {
      using client = await rawH2Client(port)
      client.send(bytes)
      expect((await client.goneAway()).code).toBe(code)
    })
  }
  test("DATA without room for its padding's length", async () => {
    using client = await rawH2Client(port)
    const id = client.request({ ":method": "POST" }, { end: false })
    client.send(frame(frameType.data, 0x8, id, ""))
    await until(() => client.goaways.some(each => each.code === frameSizeError))
  })
})

describe("trailers that speak of a connection are none (RFC 9113 section 8.2.2)", () => {
  for (const [name, value] of [
    ["connection", "close"],
    ["keep-alive", "timeout=5"],
    ["proxy-connection", "close"],
    ["transfer-encoding", "chunked"],
    ["upgrade", "h2c"],
  ] as const) {
    test(name, async () => {
      using client = await rawH2Client(port)
      const id = client.request({ ":method": "POST" }, { end: false })
      client.headers(id, [["x-sum", "1"], [name, value]], { end: true }) // biome-ignore format: one field after the other
      expect(await client.resetOf(id)).toBe(protocolError)
    })
  }
})

test("the last stream of a GOAWAY is never raised by another one (RFC 9113 section 6.8)", async () => {
  using client = await rawH2Client(port)
  const held = client.request()
  await client.goneAway(1)
  expect(await client.resetOf(client.request())).toBe(errorCode.refusedStream)
  client.send(frame(frameType.ping, 0, 0, "short"))
  const last = await client.goneAway(2)
  expect([last.code, last.lastStreamId]).toEqual([frameSizeError, held])
  expect(client.goaways.map(each => each.lastStreamId)).toEqual([2 ** 31 - 1, held, held])
})
