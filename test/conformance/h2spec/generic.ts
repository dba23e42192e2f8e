import { continuationFrame, errorCode, flag, frameType, headersFrame, preface, priorityFrame, settingsFrame } from "../../support/h2/frames.ts"
import { headerBlock, indexedField, type LiteralOptions, literalField, tableSizeUpdate } from "../../support/h2/header-block.ts"
import type { RawH2Client } from "../../support/h2/raw-h2-client.ts"
import { alive, aliveOrEnded, answered, answerOver, type Case, get, patience, post, type Section, sendGet, sendPost, type Target } from "./case.ts"

/** The server's SETTINGS come first. */
export const settingsFirst: Case = {
  name: "the preface is answered with SETTINGS before anything else",
  kind: "goes on",
  bare: true,
  run: async (client, target) => {
    client.send(preface)
    client.send(settingsFrame({ initialWindowSize: 65_535 }))
    const first = await client.frame(() => true, { ms: patience(target) })
    if (first.type !== frameType.settings || first.flags & flag.ack) throw new Error(client.story())
  },
}

/** SETTINGS are acknowledged. */
export function acknowledged(name: string, send: (client: RawH2Client) => void): Case {
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    send(client)
    await client.settled(patience(target))
  }
  return { name, kind: "goes on", run }
}

/** With no window at first, the answer waits for what `send` does. */
function waitingData(name: string, send: (client: RawH2Client) => void): Case {
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    client.settings({ initialWindowSize: 0 })
    sendGet(client, target)
    send(client)
    await client.frame(each => each.type === frameType.data, { ms: patience(target) })
  }
  return { name, kind: "goes on", run }
}

function withBlock(name: string, block: (target: Target) => Buffer): Case {
  return answered(name, (client, target) => client.send(headersFrame(1, block(target), { end: true })))
}

function withField(name: string, field: Buffer): Case {
  return withBlock(name, target => Buffer.concat([headerBlock(get(target)), field]))
}

const forms: readonly [what: string, options: LiteralOptions][] = [
  ["added to the table", { as: "added" }],
  ["not indexed", { as: "plain" }],
  ["never indexed", { as: "never" }],
]
const userAgent = 58

const literals = forms.flatMap(([what, options]) => [
  withField(`a literal that is ${what}, with an indexed name`, literalField(userAgent, "test", options)),
  withField(`a literal that is ${what}, with an indexed name, in Huffman code`, literalField(userAgent, "test", { ...options, huffman: true })),
  withField(`a literal that is ${what}, with a new name`, literalField("x-test", "test", options)),
  withField(`a literal that is ${what}, with a new name, in Huffman code`, literalField("x-test", "test", { ...options, huffman: true })),
])

export const generic: readonly Section[] = [
  { title: "generic 1: starting", cases: [settingsFirst] },
  {
    title: "generic 2: streams",
    cases: [
      alive("PRIORITY on an idle stream", client => client.send(priorityOf(1, 255))),
      waitingData("WINDOW_UPDATE on a half-closed stream", client => client.windowUpdate(1, 1)),
      waitingData("PRIORITY on a half-closed stream", client => {
        client.send(priorityOf(1, 255))
        client.windowUpdate(1, 1)
      }),
      aliveOrEnded("RST_STREAM on a half-closed stream", (client, target) => {
        sendGet(client, target)
        client.reset(1)
      }),
      alive("PRIORITY on a closed stream", async (client, target) => {
        sendGet(client, target)
        await answerOver(client, target)
        client.send(priorityOf(1, 255))
      }),
    ],
  },
  {
    title: "generic 3.1: DATA",
    cases: [
      answered("one frame", (client, target) => {
        sendPost(client, target)
        client.data(1, "test", { end: true })
      }),
      answered("several frames", (client, target) => {
        sendPost(client, target)
        client.data(1, "test")
        client.data(1, "test", { end: true })
      }),
      answered("with padding", (client, target) => {
        sendPost(client, target)
        client.data(1, "test", { end: true, pad: 5 })
      }),
    ],
  },
  {
    title: "generic 3.2: HEADERS",
    cases: [
      answered("one frame", sendGet),
      answered("with padding", (client, target) => client.headers(1, get(target), { end: true, pad: 8 })),
      answered("with priority", (client, target) => client.headers(1, get(target), { end: true, priority: { weight: 255 } })),
    ],
  },
  {
    title: "generic 3.3: PRIORITY",
    cases: [
      beforeGet("of weight 1", priorityOf(1, 0)),
      beforeGet("of weight 256", priorityOf(1, 255)),
      beforeGet("with a dependency", priorityOf(3, 0, { dependency: 1 })),
      beforeGet("exclusive", priorityOf(1, 0, { exclusive: true })),
      beforeGet("of an idle stream, and then HEADERS of a lower one", priorityOf(3, 255)),
    ],
  },
  {
    title: "generic 3.4 to 3.9: the other frames",
    cases: [
      aliveOrEnded("RST_STREAM", (client, target) => {
        sendPost(client, target)
        client.reset(1)
      }),
      acknowledged("SETTINGS, all of them", client =>
        client.settings({
          headerTableSize: 4096,
          enablePush: 1,
          maxConcurrentStreams: 100,
          initialWindowSize: 65_535,
          maxFrameSize: 16_384,
          maxHeaderListSize: 100,
        }),
      ),
      alive("PING", client => client.ping("8 octets")),
      aliveOrEnded("GOAWAY", client => client.goaway(0, errorCode.noError, "test")),
      alive("WINDOW_UPDATE of the connection", client => client.windowUpdate(0, 1)),
      answered("WINDOW_UPDATE of a stream", (client, target) => {
        sendGet(client, target)
        client.windowUpdate(1, 1)
      }),
    ],
  },
  {
    title: "generic 3.10: CONTINUATION",
    cases: [
      answered("one frame", (client, target) => {
        const block = headerBlock(get(target))
        client.send(headersFrame(1, block.subarray(0, 5), { end: true, endHeaders: false }))
        client.send(continuationFrame(1, block.subarray(5)))
      }),
      answered("several frames", (client, target) => {
        const block = headerBlock(get(target))
        client.send(headersFrame(1, block.subarray(0, 5), { end: true, endHeaders: false }))
        client.send(continuationFrame(1, block.subarray(5, 10), false))
        client.send(continuationFrame(1, block.subarray(10)))
      }),
    ],
  },
  {
    title: "generic 4: messages",
    cases: [
      answered("GET", sendGet),
      answered("HEAD", (client, target) => client.headers(1, get(target, { ":method": "HEAD" }), { end: true })),
      answered("POST", (client, target) => {
        sendPost(client, target)
        client.data(1, "test", { end: true })
      }),
      answered("POST with trailers", (client, target) => {
        client.headers(1, post(target, { trailer: "x-test" }))
        client.data(1, "test")
        client.headers(1, { "x-test": "ok" }, { end: true })
      }),
    ],
  },
  {
    title: "generic 5: HPACK",
    cases: [
      withField("an indexed field", indexedField(userAgent)),
      ...literals,
      withBlock("a table size update", target => Buffer.concat([tableSizeUpdate(128), headerBlock(get(target))])),
      withBlock("two table size updates", target => Buffer.concat([tableSizeUpdate(128), tableSizeUpdate(4096), headerBlock(get(target))])),
    ],
  },
]

function beforeGet(name: string, bytes: Buffer): Case {
  return answered(name, (client, target) => {
    client.send(bytes)
    sendGet(client, target)
  })
}

function priorityOf(streamId: number, weight: number, more: { dependency?: number; exclusive?: boolean } = {}): Buffer {
  return priorityFrame(streamId, { weight, ...more })
}
