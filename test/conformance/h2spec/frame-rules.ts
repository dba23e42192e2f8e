import {
  continuationFrame,
  dataFrame,
  frame,
  frameType,
  goawayFrame,
  headersFrame,
  pingFrame,
  priorityFrame,
  rstStreamFrame,
  setting,
  settingsFrame,
  windowMax,
} from "../../support/h2/frames.ts"
import { headerBlock } from "../../support/h2/header-block.ts"
import type { RawH2Client } from "../../support/h2/raw-h2-client.ts"
import * as cases from "./case.ts"
import { alive, aliveOrEnded, answered, type Case, connectionError, filler, get, post, type Section, sendGet, sendPost, streamError } from "./case.ts"
import { acknowledged } from "./generic.ts"

const eight = "\0".repeat(8)
const protocolError = ["protocolError"] as const
const frameSizeError = ["frameSizeError"] as const
const flowControlError = ["flowControlError"] as const

/** Bytes that are a connection error by themselves. */
function bytes(name: string, codes: readonly cases.ErrorName[], ...sent: readonly Buffer[]): Case {
  return connectionError(name, codes, client => client.send(Buffer.concat(sent)))
}

/** What follows a GET on stream 1. */
function afterGet(name: string, codes: readonly cases.ErrorName[], ...sent: readonly Buffer[]): Case {
  return streamError(name, codes, (client, target) => {
    sendGet(client, target)
    client.send(Buffer.concat(sent))
  })
}

/** What follows HEADERS without its end on stream 1. */
function inBlock(name: string, ...sent: readonly Buffer[]): Case {
  return connectionError(name, protocolError, (client, target) => {
    client.send(headersFrame(1, headerBlock(post(target)), { endHeaders: false }))
    client.send(Buffer.concat(sent))
  })
}

const extra = headerBlock(filler())
const another = headersFrame(3, headerBlock({ ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "a.test" }), { end: true })

const messages: readonly Section[] = [
  {
    title: "http2 6.1: DATA",
    cases: [
      bytes("on stream 0", protocolError, dataFrame(0, "test", { end: true })),
      streamError("on a stream that is half closed", ["streamClosed"], (client, target) => {
        client.headers(1, post(target), { end: true })
        client.send(dataFrame(1, "test", { end: true }))
      }),
      connectionError("with more padding than it has room for", protocolError, (client, target) => {
        client.headers(1, post(target, { "content-length": "4" }))
        client.send(frame(frameType.data, 0x9, 1, "\x06test"))
      }),
    ],
  },
  {
    title: "http2 6.2: HEADERS",
    cases: [
      inBlock("PRIORITY before its end", priorityFrame(1, { weight: 255 }), continuationFrame(1, extra)),
      inBlock("HEADERS of another stream before its end", another, continuationFrame(1, extra)),
      connectionError("on stream 0", protocolError, (client, target) => client.send(headersFrame(0, headerBlock(get(target)), { end: true }))),
      streamError("with more padding than it has room for", protocolError, (client, target) => {
        const block = headerBlock(get(target))
        client.send(frame(frameType.headers, 0xd, 1, Buffer.concat([Buffer.from([block.length + 2]), block])))
      }),
    ],
  },
  {
    title: "http2 6.3: PRIORITY",
    cases: [
      bytes("on stream 0", protocolError, priorityFrame(0, { weight: 255 })),
      afterGet("of 4 octets", frameSizeError, frame(frameType.priority, 0, 1, "\x80\0\0\x01")),
    ],
  },
  {
    title: "http2 6.4: RST_STREAM",
    cases: [
      bytes("on stream 0", protocolError, rstStreamFrame(0, 8)),
      bytes("on an idle stream", protocolError, rstStreamFrame(1, 8)),
      afterGet("of 3 octets", frameSizeError, frame(frameType.rstStream, 0, 1, "\0\0\0")),
    ],
  },
]

const settings: readonly Section[] = [
  {
    title: "http2 6.5: SETTINGS",
    cases: [
      bytes("an acknowledgement with a payload", frameSizeError, frame(frameType.settings, 1, 0, "\0")),
      bytes("on a stream", protocolError, frame(frameType.settings, 0, 1, "\0\x03\0\0\0\x64")),
      bytes("of 3 octets", ["protocolError", "frameSizeError"], frame(frameType.settings, 0, 0, "\0\x03\0")),
    ],
  },
  {
    title: "http2 6.5.2: each setting",
    cases: [
      bytes("ENABLE_PUSH of 2", protocolError, settingsFrame([[setting.enablePush, 2]])),
      bytes("INITIAL_WINDOW_SIZE of 2^31", flowControlError, settingsFrame([[setting.initialWindowSize, 2 ** 31]])),
      bytes("MAX_FRAME_SIZE of 16383", protocolError, settingsFrame([[setting.maxFrameSize, 16_383]])),
      bytes("MAX_FRAME_SIZE of 2^24", protocolError, settingsFrame([[setting.maxFrameSize, 2 ** 24]])),
      alive("an unknown one is ignored", client => client.settings([[0xff, 1]])),
    ],
  },
  {
    title: "http2 6.5.3: their acknowledgement",
    cases: [
      firstData("of one setting twice, the last counts", 1, client =>
        client.settings([
          [setting.initialWindowSize, 100],
          [setting.initialWindowSize, 1],
        ]),
      ),
      acknowledged("it comes", client => client.settings({ enablePush: 0 })),
    ],
  },
]

const upkeep: readonly Section[] = [
  {
    title: "http2 6.7: PING",
    cases: [
      alive("is answered with its octets", () => {}),
      {
        name: "an answer is not answered",
        kind: "goes on",
        run: async (client, target) => {
          client.send(pingFrame("answer!!", true))
          client.ping("question")
          const { payload } = await client.frame(each => each.type === frameType.ping, { ms: cases.patience(target) })
          if (payload.toString() !== "question") throw new Error(`answered to ${payload}`)
        },
      },
      bytes("on a stream", protocolError, frame(frameType.ping, 0, 1, eight)),
      bytes("of 6 octets", frameSizeError, pingFrame("\0".repeat(6))),
    ],
  },
  { title: "http2 6.8: GOAWAY", cases: [bytes("on a stream", protocolError, frame(frameType.goaway, 0, 1, eight))] },
]

const windows: readonly Section[] = [
  {
    title: "http2 6.9: WINDOW_UPDATE",
    cases: [
      connectionError("by 0, of the connection", protocolError, client => client.windowUpdate(0, 0)),
      streamError("by 0, of a stream", protocolError, (client, target) => {
        client.headers(1, get(target))
        client.windowUpdate(1, 0)
      }),
      bytes("of 3 octets", frameSizeError, frame(frameType.windowUpdate, 0, 0, "\0\0\x01")),
    ],
  },
  {
    title: "http2 6.9.1: the window",
    cases: [
      firstData("a window of 1 lets 1 octet through", 1, client => client.settings({ initialWindowSize: 1 })),
      tooWide("the connection's above 2^31-1", frameType.goaway, 0),
      tooWide("a stream's above 2^31-1", frameType.rstStream, 1),
    ],
  },
  {
    title: "http2 6.9.2: its initial size",
    cases: [
      firstData(
        "a change counts for streams that are open",
        1,
        client => client.settings({ initialWindowSize: 0 }),
        client => client.settings({ initialWindowSize: 1 }),
      ),
      { name: "a window may become negative", kind: "goes on", run: negativeWindow },
      bytes("of 2^31", flowControlError, frame(frameType.settings, 0, 0, "\0\x04\x80\0\0\0")),
    ],
  },
]

const continuation: Section = {
  title: "http2 6.10: CONTINUATION",
  cases: [
    answered("two frames after HEADERS are taken", (client, target) => {
      client.send(headersFrame(1, headerBlock(get(target)), { end: true, endHeaders: false }))
      client.send(continuationFrame(1, extra, false))
      client.send(continuationFrame(1, extra))
    }),
    inBlock("DATA after one that is not the last", continuationFrame(1, extra, false), dataFrame(1, "test", { end: true })),
    inBlock("on stream 0", continuationFrame(0, extra)),
    connectionError("after HEADERS with END_HEADERS", protocolError, (client, target) => {
      sendGet(client, target)
      client.send(continuationFrame(1, extra))
    }),
    inBlock("after CONTINUATION with END_HEADERS", continuationFrame(1, extra), continuationFrame(1, extra)),
    inBlock("after DATA", dataFrame(1, "test", { end: true }), continuationFrame(1, extra, false), continuationFrame(0, extra)),
  ],
}

const errorCodes: Section = {
  title: "http2 7: error codes",
  cases: [
    aliveOrEnded("an unknown one in GOAWAY", client => client.send(goawayFrame(0, 0xff))),
    aliveOrEnded("an unknown one in RST_STREAM", (client, target) => {
      sendPost(client, target)
      client.send(rstStreamFrame(1, 0xff))
    }),
  ],
}

export const frameRules: readonly Section[] = [...messages, ...settings, ...upkeep, ...windows, continuation, errorCodes]

/** The first DATA of an answer has this length; `before` comes ahead of the request, `after` behind it. */
function firstData(name: string, length: number, before: (client: RawH2Client) => void, after: (client: RawH2Client) => void = () => {}): Case {
  const run = async (client: RawH2Client, target: cases.Target): Promise<void> => {
    client.updateWindows = false
    before(client)
    await client.settled(cases.patience(target))
    sendGet(client, target)
    after(client)
    await dataOf(client, target, length)
  }
  return { name, kind: "goes on", run }
}

function tooWide(name: string, type: number, streamId: number): Case {
  const send = (client: RawH2Client, target: cases.Target): void => {
    if (streamId === 1) client.headers(1, get(target))
    client.windowUpdate(streamId, windowMax)
    client.windowUpdate(streamId, windowMax)
  }
  return cases.objects({ name, codes: ["flowControlError"], send, types: [type], named: true })
}

async function negativeWindow(client: RawH2Client, target: cases.Target): Promise<void> {
  client.updateWindows = false
  client.settings({ initialWindowSize: 3 })
  await client.settled(cases.patience(target))
  sendGet(client, target)
  await dataOf(client, target, 3)
  client.settings({ initialWindowSize: 2 })
  await client.settled(cases.patience(target))
  const after = client.frames.length
  client.windowUpdate(1, 2)
  await dataOf(client, target, 1, after)
}

async function dataOf(client: RawH2Client, target: cases.Target, length: number, after = 0): Promise<void> {
  const { payload } = await client.frame(each => each.type === frameType.data, { ms: cases.patience(target), after })
  if (payload.length !== length) throw new Error(`DATA of ${payload.length} octets, not ${length}`)
}
