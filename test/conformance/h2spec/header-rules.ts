import { headersFrame, pushPromiseFrame, setting } from "../../support/h2/frames.ts"
import { type Field, headerBlock, huffmanOctets, indexedField, literalField, tableSizeUpdate } from "../../support/h2/header-block.ts"
import { endOfString } from "../../support/h2/hpack-tables.ts"
import { type Case, connectionError, get, post, type Section, streamError, type Target } from "./case.ts"

const protocolError = ["protocolError"] as const

/** A request of these fields is malformed. */
function malformed(name: string, fields: (target: Target) => readonly Field[]): Case {
  return streamError(name, protocolError, (client, target) => client.headers(1, fields(target), { end: true }))
}

function extraField(name: string, ...extra: readonly Field[]): Case {
  return malformed(name, target => [...get(target), ...extra])
}

function without(pseudo: string): Case {
  return malformed(`without ${pseudo}`, target => get(target, { [pseudo]: undefined }))
}

function twice(pseudo: string): Case {
  return malformed(`${pseudo} twice`, target => [...get(target), ...get(target).filter(([name]) => name === pseudo)])
}

/** POST that announces one octet. */
function wrongLength(name: string, pieces: readonly string[]): Case {
  return streamError(name, protocolError, (client, target) => {
    client.headers(1, post(target, { "content-length": "1" }))
    for (const [index, piece] of pieces.entries()) client.data(1, piece, { end: index === pieces.length - 1 })
  })
}

function wrongTrailers(name: string, trailers: Readonly<Record<string, string>>): Case {
  return streamError(name, protocolError, (client, target) => {
    client.headers(1, post(target))
    client.data(1, "test")
    client.headers(1, trailers)
  })
}

const messages: readonly Section[] = [
  { title: "http2 8.1: exchanges", cases: [wrongTrailers("a second HEADERS that does not end the stream", { "x-test": "ok" })] },
  { title: "http2 8.1.2: fields", cases: [extraField("a name in upper case", ["X-TEST", "ok"])] },
  {
    title: "http2 8.1.2.1: pseudo fields",
    cases: [
      extraField("an unknown one", [":test", "ok"]),
      extraField("one of responses", [":status", "200"]),
      wrongTrailers("one in trailers", { ":method": "POST" }),
      malformed("one after a regular field", target => [["x-test", "ok"], ...get(target)]),
    ],
  },
  {
    title: "http2 8.1.2.2: fields of the connection",
    cases: [
      extraField("connection", ["connection", "keep-alive"]),
      extraField("te of more than trailers", ["trailers", "test"], ["te", "trailers, deflate"]),
    ],
  },
  {
    title: "http2 8.1.2.3: pseudo fields of requests",
    cases: [
      malformed("an empty :path", target => get(target, { ":path": "" })),
      without(":method"),
      without(":scheme"),
      without(":path"),
      twice(":method"),
      twice(":scheme"),
      twice(":path"),
    ],
  },
  {
    title: "http2 8.1.2.6: content-length",
    cases: [wrongLength("another than that of DATA", ["test"]), wrongLength("another than that of several DATA", ["test", "test"])],
  },
  {
    title: "http2 8.2: push",
    cases: [
      connectionError("PUSH_PROMISE of a client", protocolError, (client, target) => client.send(pushPromiseFrame(1, 3, headerBlock(get(target))))),
    ],
  },
]

/** A request whose block ends with these octets cannot be decoded. */
function undecodable(name: string, end: Uint8Array): Case {
  return connectionError(name, ["compressionError"], (client, target) =>
    client.send(headersFrame(1, Buffer.concat([headerBlock(get(target)), end]), { end: true })),
  )
}

/** `x-test` with a value of these octets, said to be in Huffman code. */
function huffmanField(value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("\x00\x06x-test", "latin1"), Buffer.from([0x80 | value.length]), value])
}

const word = Buffer.from("test")

const hpack: readonly Section[] = [
  {
    title: "hpack 2.3.3: indexes",
    cases: [
      undecodable("a field beyond both tables", indexedField(70)),
      undecodable("a name beyond both tables", literalField(70, "", { as: "added" })),
    ],
  },
  { title: "hpack 4.2: the table's size", cases: [undecodable("an update at the end of a block", tableSizeUpdate(1))] },
  {
    title: "hpack 5.2: strings",
    cases: [
      undecodable("padding of more than 7 bits", huffmanField(Buffer.concat([huffmanOctets(word), Buffer.from([0xff])]))),
      undecodable("padding of zeros", huffmanField(Buffer.from([0x49, 0x50, 0x90]))),
      undecodable("EOS inside", huffmanField(huffmanOctets([...word.subarray(0, 3), endOfString, word[3]!]))),
    ],
  },
  { title: "hpack 6.1: indexed fields", cases: [undecodable("index 0", indexedField(0))] },
  {
    title: "hpack 6.3: size updates",
    cases: [
      connectionError("above SETTINGS_HEADER_TABLE_SIZE", ["compressionError"], (client, target) => {
        const most = client.peerSettings.get(setting.headerTableSize) ?? 4096
        client.send(headersFrame(1, Buffer.concat([tableSizeUpdate(most + 1), headerBlock(get(target))]), { end: true }))
      }),
    ],
  },
]

export const headerRules: readonly Section[] = [...messages, ...hpack]
