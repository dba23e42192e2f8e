import fc from "fast-check"
import * as frames from "../support/h2/frames.ts"
import { headerBlock, indexedField, literalField, tableSizeUpdate } from "../support/h2/header-block.ts"

// Frames that are nearly right, in orders that are nearly right. As latin1 text, one character an octet.
const { flag, frameType } = frames
const text = (bytes: Buffer): string => bytes.toString("latin1")
const id = fc.constantFrom(1, 1, 1, 3, 3, 5, 7, 0, 2, 101)
const wrongId = fc.constantFrom(0, 1, 3)
const pseudo = { ":method": "POST", ":scheme": "http", ":path": "/", ":authority": "a.test" }
const literals = [
  headerBlock({ "x-a": "1" }),
  headerBlock({ "x-a": "1" }, { as: "added", huffman: true }),
  headerBlock({ "content-length": "5" }),
  headerBlock({ cookie: "a=1" }, { as: "added" }),
  headerBlock({ te: "trailers" }),
  headerBlock({ expect: "100-continue" }),
  headerBlock({ priority: "u=1, i" }),
  headerBlock({ connection: "close" }),
  headerBlock({ ":path": "/late" }),
  headerBlock({ "x-large": "x".repeat(3000) }, { as: "added" }),
  indexedField(62),
  indexedField(0),
  indexedField(8),
  tableSizeUpdate(0),
  tableSizeUpdate(4096),
  tableSizeUpdate(99_999),
  literalField(1, "b.test"),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
]
const more = fc.array(fc.constantFrom(...literals), { maxLength: 3 })
const starts = [
  headerBlock(pseudo),
  headerBlock({ ...pseudo, ":method": "GET" }, { as: "added" }),
  headerBlock({ ":method": "CONNECT", ":authority": "a.test:443" }),
]
const block = fc
  .tuple(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...starts) }, fc.constant(Buffer.alloc(0))), more)
  .map(([start, rest]) => Buffer.concat([start, ...rest]))

const headers = fc
  .tuple(id, block, fc.boolean(), fc.option(fc.nat(5)), fc.option(fc.record({ dependency: wrongId })), fc.nat(9))
  .map(([stream, octets, end, pad, priority, cut]) => {
    const options = { end, ...(pad === null ? {} : { pad }), ...(priority === null ? {} : { priority }) }
    if (cut > 1) return text(frames.headersFrame(stream, octets, options))
    // In two parts, of which the second may be missing.
    const half = octets.length >> 1
    const first = frames.headersFrame(stream, octets.subarray(0, half), { ...options, endHeaders: false })
    return text(Buffer.concat([first, frames.continuationFrame(stream, octets.subarray(half), cut === 1)]))
  })
const data = fc
  .tuple(id, fc.constantFrom("", "x", "hello", "x".repeat(5000)), fc.boolean(), fc.option(fc.nat(300)))
  .map(([stream, octets, end, pad]) => text(frames.dataFrame(stream, octets, { end, ...(pad === null || pad > 255 ? {} : { pad }) })))
const amount = fc.constantFrom(0, 1, 65_535, 2 ** 31 - 1)
const settingId = fc.constantFrom(1, 2, 3, 4, 4, 5, 6, 8, 9, 77)
const small = fc.oneof(
  id.map(stream => text(frames.rstStreamFrame(stream, 8))),
  fc.tuple(id, amount).map(([stream, more]) => text(frames.windowUpdateFrame(stream, more))),
  fc
    .array(fc.tuple(settingId, fc.constantFrom(0, 1, 100, 16_384, 65_535, 2 ** 31 - 1, 2 ** 31)), { maxLength: 3 })
    .map(list => text(frames.settingsFrame(list))),
  fc.constant(text(frames.settingsAck())),
  fc.boolean().map(ack => text(frames.pingFrame("12345678", ack))),
  fc.tuple(id, wrongId).map(([stream, dependency]) => text(frames.priorityFrame(stream, { dependency }))),
  id.map(last => text(frames.goawayFrame(last, 0))),
  fc.tuple(id, id).map(([stream, promised]) => text(frames.pushPromiseFrame(stream, promised, headerBlock(pseudo)))),
  id.map(stream => text(frames.frame(16, 0, 0, Buffer.concat([frames.uint32(stream), Buffer.from("u=0")])))),
  fc
    .tuple(fc.nat(255), fc.nat(255), id, fc.nat(20))
    .map(([type, flags, stream, length]) => text(frames.frame(type, flags, stream, "x".repeat(length)))),
)
/** A whole request, as it should be. */
const request = fc.tuple(fc.constantFrom(1, 3, 5, 7, 9, 11), fc.boolean()).map(([stream, body]) => {
  const head = frames.headersFrame(stream, headerBlock(pseudo), { end: !body })
  return text(body ? Buffer.concat([head, frames.dataFrame(stream, "hello", { end: true })]) : head)
})
const lie = fc
  .tuple(fc.constantFrom(...Object.values(frameType)), id, fc.constantFrom(0, 3, 9, 16_385, 0xffffff), fc.constantFrom("", "xxxx", "x".repeat(40)))
  .map(([type, stream, length, payload]) => text(frames.frame(type, flag.endHeaders, stream, payload, { length })))

export const frameSequence: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: headers },
      { weight: 5, arbitrary: data },
      { weight: 5, arbitrary: small },
      { weight: 4, arbitrary: request },
      { weight: 1, arbitrary: lie },
    ),
    { maxLength: 14 },
  )
  .map(list => list.join(""))
