import { continuationFrame, dataFrame, frame, frameType, headersFrame, priorityFrame, rstStreamFrame, setting } from "../../support/h2/frames.ts"
import { headerBlock } from "../../support/h2/header-block.ts"
import type { RawH2Client } from "../../support/h2/raw-h2-client.ts"
import * as cases from "./case.ts"
import { alive, answered, type Case, connectionError, filler, get, type Section, sendGet, sendPost, streamError, type Target } from "./case.ts"
import { settingsFirst } from "./generic.ts"

const eight = "\0".repeat(8)
const unknownType = 0x16
/** PING on a stream. */
const wrongPing = frame(frameType.ping, 0, 3, eight)

/** HEADERS without its end. */
function openBlock(client: RawH2Client, target: Target, end = false): void {
  client.send(headersFrame(1, headerBlock(get(target)), { end, endHeaders: false }))
}

const lastBlock = (streamId = 1): Buffer => continuationFrame(streamId, headerBlock(filler()))

/** GET that the server has answered to the end. */
async function closedByAnswer(client: RawH2Client, target: Target): Promise<void> {
  sendGet(client, target)
  await cases.answerOver(client, target)
}

function afterAnswer(name: string, make: typeof streamError, codes: readonly cases.ErrorName[], bytes: (target: Target) => Buffer): Case {
  return make(name, codes, async (client, target) => {
    await closedByAnswer(client, target)
    client.send(bytes(target))
  })
}

function afterReset(name: string, codes: readonly cases.ErrorName[], bytes: (target: Target) => Buffer): Case {
  return streamError(name, codes, (client, target) => {
    client.headers(1, get(target))
    client.reset(1)
    client.send(bytes(target))
  })
}

const wholeGet = (target: Target, streamId = 1): Buffer => headersFrame(streamId, headerBlock(get(target)), { end: true })
const lateData = (): Buffer => dataFrame(1, "test", { end: true })

const starting: Section = {
  title: "http2 3.5: the preface",
  cases: [
    settingsFirst,
    {
      name: "another one ends the connection",
      kind: "objects",
      bare: true,
      run: (client, target) => {
        client.send("INVALID CONNECTION PREFACE\r\n\r\n")
        return client.closed(cases.patience(target))
      },
    },
  ],
}

const framing: readonly Section[] = [
  {
    title: "http2 4.1: the form of frames",
    cases: [
      alive("an unknown type is ignored", client => client.send(frame(unknownType, 0, 0, eight))),
      pinged("unknown flags are ignored", frame(frameType.ping, 0x16, 0, eight)),
      pinged("the reserved bit is ignored", frame(frameType.ping, 0x16, 0, eight, { reserved: true })),
    ],
  },
  {
    title: "http2 4.2: the size of frames",
    cases: [
      answered("DATA of 16384 octets is taken", (client, target) => {
        sendPost(client, target)
        client.data(1, "x".repeat(16_384), { end: true })
      }),
      streamError("DATA above SETTINGS_MAX_FRAME_SIZE", ["frameSizeError"], (client, target) => {
        sendPost(client, target)
        client.data(1, "x".repeat(client.queue.frameSize + 1), { end: true })
      }),
      connectionError("HEADERS above SETTINGS_MAX_FRAME_SIZE", ["frameSizeError"], (client, target) =>
        client.send(headersFrame(1, headerBlock([...get(target), ...filler(1, client.queue.frameSize)]), { end: true })),
      ),
    ],
  },
  {
    title: "http2 4.3: header blocks",
    cases: [
      connectionError("a block that cannot be decoded", ["compressionError"], client => client.send(headersFrame(1, "\x40", { end: true }))),
      connectionError("PRIORITY inside a block", ["protocolError"], (client, target) => {
        openBlock(client, target)
        client.send(priorityFrame(1, { weight: 255 }))
        client.send(lastBlock())
      }),
      connectionError("HEADERS of another stream inside a block", ["protocolError"], (client, target) => {
        openBlock(client, target)
        client.send(wholeGet(target, 3))
        client.send(lastBlock())
      }),
    ],
  },
]

const idle: readonly Case[] = [
  streamError("idle: DATA", ["protocolError", "streamClosed"], client => client.send(lateData())),
  connectionError("idle: RST_STREAM", ["protocolError"], client => client.send(rstStreamFrame(1, 8))),
  connectionError("idle: WINDOW_UPDATE", ["protocolError"], client => client.windowUpdate(1, 100)),
  connectionError("idle: CONTINUATION", ["protocolError"], (client, target) => client.send(continuationFrame(1, headerBlock(get(target))))),
]

const halfClosed: readonly Case[] = [
  streamError("half closed: DATA", ["streamClosed"], (client, target) => client.send(Buffer.concat([wholeGet(target), lateData()]))),
  streamError("half closed: HEADERS", ["streamClosed"], (client, target) => client.send(Buffer.concat([wholeGet(target), wholeGet(target)]))),
  streamError("half closed: CONTINUATION", ["streamClosed", "protocolError"], (client, target) =>
    client.send(Buffer.concat([wholeGet(target), lastBlock()])),
  ),
]

const closed: readonly Case[] = [
  afterReset("closed by our reset: DATA", ["streamClosed"], lateData),
  afterReset("closed by our reset: HEADERS", ["streamClosed"], wholeGet),
  afterReset("closed by our reset: CONTINUATION", ["streamClosed", "protocolError"], () => lastBlock()),
  afterAnswer("closed: DATA", streamError, ["streamClosed"], lateData),
  afterAnswer("closed: HEADERS", connectionError, ["streamClosed"], wholeGet),
  afterAnswer("closed: CONTINUATION", connectionError, ["streamClosed", "protocolError"], () => lastBlock()),
]

/** More streams than the server allows, none of which can end for want of window. */
async function oneTooMany(client: RawH2Client, target: Target): Promise<void> {
  const most = client.peerSettings.get(setting.maxConcurrentStreams)!
  client.settings({ initialWindowSize: 0 })
  for (let index = 0; index <= most; index++) client.send(wholeGet(target, index * 2 + 1))
}

const tooMany = streamError("a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS", ["protocolError", "refusedStream"], oneTooMany)

const streams: readonly Section[] = [
  { title: "http2 5.1: states of streams", cases: [...idle, ...halfClosed, ...closed] },
  {
    title: "http2 5.1.1: numbers of streams",
    cases: [
      connectionError("an even one", ["protocolError"], (client, target) => client.send(wholeGet(target, 2))),
      connectionError("one below another", ["protocolError"], (client, target) =>
        client.send(Buffer.concat([wholeGet(target, 5), wholeGet(target, 3)])),
      ),
    ],
  },
  {
    title: "http2 5.1.2: streams at once",
    cases: [
      {
        ...tooMany,
        // Without a limit there is nothing to exceed.
        run: async (client, target) => client.peerSettings.has(setting.maxConcurrentStreams) && tooMany.run(client, target),
      },
    ],
  },
  {
    title: "http2 5.3.1: dependencies",
    cases: [
      streamError("HEADERS that depends on itself", ["protocolError"], (client, target) =>
        client.headers(1, get(target), { end: true, priority: { dependency: 1, weight: 255 } }),
      ),
      streamError("PRIORITY that depends on itself", ["protocolError"], client => client.send(priorityFrame(1, { dependency: 1, weight: 255 }))),
    ],
  },
]

const errors: readonly Section[] = [
  {
    title: "http2 5.4.1: connection errors",
    cases: [
      {
        name: "the connection is closed",
        kind: "objects",
        run: (client, target) => {
          client.send(wrongPing)
          return client.closed(cases.patience(target))
        },
      },
      {
        name: "GOAWAY comes before that",
        kind: "objects",
        run: (client, target) => {
          client.send(wrongPing)
          return client.goneAway(0, cases.patience(target))
        },
      },
    ],
  },
  {
    title: "http2 5.5: extensions",
    cases: [
      alive("an unknown frame is ignored", client => client.send(frame(unknownType, 0, 0, eight))),
      connectionError("an unknown frame inside a header block", ["protocolError"], (client, target) => {
        openBlock(client, target, true)
        client.send(frame(unknownType, 0, 0, eight))
      }),
    ],
  },
]

export const connections: readonly Section[] = [starting, ...framing, ...streams, ...errors]

function pinged(name: string, bytes: Buffer): Case {
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    client.send(bytes)
    await client.frame(each => each.type === frameType.ping, { ms: cases.patience(target) })
  }
  return { name, kind: "goes on", run }
}
