import { afterAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { flag, frame, frameType } from "../support/h2/frames.ts"
import { type Field, headerBlock, type LiteralOptions } from "../support/h2/header-block.ts"
import { readRequest } from "../support/strict-reader.ts"
import { octet, runs } from "./arbitraries.ts"
import { H2World, hear } from "./h2-world.ts"

afterAll(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const odd = fc.constantFrom(
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  "\x7f",
  "\x0b",
  "\x85",
  "\xa0",
  "\xff",
  "A",
  ", ",
  "\r\n\r\nGET /in HTTP/1.1\r\n",
  "\r\nx: y",
)
const texts = (sound: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: sound },
    { weight: 1, arbitrary: fc.tuple(sound, fc.oneof(odd, octet), fc.nat(3)).map(([text, piece, at]) => text.slice(0, at) + piece + text.slice(at)) },
    { weight: 1, arbitrary: fc.array(octet, { maxLength: 6 }).map(list => list.join("")) },
  )
const name = texts(
  fc.constantFrom(
    ..."x-a x-b accept cookie cookie host te trailer content-length content_length transfer-encoding transfer_encoding connection keep-alive upgrade".split(
      " ",
    ),
    ..."x-forwarded-for via authorization expect proxy-connection http2-settings range user-agent priority a.b *".split(" "),
  ),
)
const value = texts(
  fc.constantFrom(
    "1",
    "",
    "a.test",
    "trailers",
    "0",
    "5",
    "chunked",
    "close",
    "100-continue",
    "websocket",
    "a=1; b=2",
    "caf\xe9",
    "a, b",
    "x".repeat(200),
  ),
)
const fields = fc.array(fc.tuple(name, value), { maxLength: 6 }) as fc.Arbitrary<Field[]>
const start: fc.Arbitrary<Field[]> = fc
  .tuple(
    texts(fc.constantFrom("GET", "POST", "HEAD", "BREW", "OPTIONS")),
    texts(fc.constantFrom("http", "https")),
    texts(fc.constantFrom("/", "/a?b=c", "/x//y", "/%2f", "*")),
    texts(fc.constantFrom("a.test", "a.test", "b.test:80", "[::1]", "A.TEST")),
  )
  .map(([method, scheme, path, authority]) => [
    [":method", method],
    [":scheme", scheme],
    [":path", path],
    [":authority", authority],
  ])
const form: fc.Arbitrary<LiteralOptions> = fc.record({ as: fc.constantFrom("plain", "added", "never"), huffman: fc.boolean() })

/** The fields that an HTTP/1.1 recipient must get of these, in their order. */
function meant(list: readonly Field[]): Field[] {
  const authority = list.find(([key]) => key === ":authority")?.[1]
  const regular = list.filter(
    ([key]) => !/^(?::|te$|trailer$|http2-settings$|cookie$|expect$)/.test(key) && !(key === "host" && authority !== undefined),
  )
  const cookies = list.filter(([key]) => key === "cookie").map(([, text]) => text)
  const host: Field[] = authority === undefined ? [] : [["host", authority]]
  // Crumbs that are empty leave nothing behind.
  return [...host, ...regular, ...(cookies.join("") === "" ? [] : [["cookie", cookies.join("; ")] as Field])]
}

const OURS = new Set(["te", "connection", "expect", "content-length", "cookie"])
const plain = (list: readonly (readonly [string, string])[]): (readonly [string, string])[] => list.filter(([key]) => !OURS.has(key))

async function check(head: Field[], rest: Field[], options: LiteralOptions): Promise<void> {
  const list = [...head, ...rest]
  const one = new H2World()
  const client = await one.connect()
  client.deliver(frame(frameType.headers, flag.endHeaders | flag.endStream, 1, headerBlock(list, options)).toString("latin1"))
  await one.turn()
  const story = JSON.stringify(list)
  const stream = hear(client).streams.get(1)
  const octets = one.upstream.join("")
  if (octets !== "") {
    const reading = readRequest(octets)
    if (reading.is !== "whole") throw new Error(`${reading.is === "bad" ? reading.why : "half a message"} from ${story}`)
    expect([story, reading.end, reading.message.body]).toEqual([story, octets.length, ""])
    expect([story, `${reading.message.method} ${reading.message.target}`]).toEqual([story, `${head[0]![1]} ${head[2]![1]}`])
    expect([story, plain(reading.message.fields)]).toEqual([story, plain(meant(list))])
    const cookies = (of: readonly (readonly [string, string])[]) => of.filter(([key]) => key === "cookie")
    expect([story, cookies(reading.message.fields).length <= 1]).toEqual([story, true])
  }
  // An answer, or a reset.
  expect([story, stream?.isOver]).toEqual([story, true])
  one.world.shutDown()
  await one.turn()
  expect([story, one.world.leaks()]).toEqual([story, []])
}

describe("any list of fields that is taken", () => {
  test("arrives at the upstream as exactly these fields", async () => {
    await fc.assert(fc.asyncProperty(start, fields, form, check), runs(42, 3000))
  }, 30_000)
})
