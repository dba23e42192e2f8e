import type { HpackDecoder, HeaderSink } from "./decoder.ts"
import type { HeaderEntry } from "./entry.ts"
import { type HpackEncoder, hpackBytesMax } from "./encoder.ts"

/** What a decoder says of one block: its fields as `name: value`, or false. */
export function decodeHex(decoder: HpackDecoder, hex: string): string[] | false {
  return decodeOctets(decoder, Buffer.from(hex.replace(/[\s|]/g, ""), "hex"))
}

export function decodeOctets(decoder: HpackDecoder, octets: Uint8Array): string[] | false {
  const entries = decodeEntries(decoder, octets)
  return entries === false ? false : entries.map(entry => `${entry.name}: ${entry.value}`)
}

export function decodeEntries(decoder: HpackDecoder, octets: Uint8Array): HeaderEntry[] | false {
  const entries: HeaderEntry[] = []
  const sink: HeaderSink = { onField: entry => void entries.push(entry) }
  // Other octets around it: a block ends where its caller says.
  const around = Buffer.concat([Buffer.from([0x82]), octets, Buffer.from([0x82, 0xff, 0xff])])
  return decoder.decode(around, 1, 1 + octets.length, sink) ? entries : false
}

/** One block of these lines, in a buffer that is no larger than `hpackBytesMax` says. */
export function encodeLines(encoder: HpackEncoder, text: string): Buffer {
  const out = Buffer.alloc(hpackBytesMax(text.length))
  return out.subarray(0, encoder.lines(text, out, encoder.begin(out, 0)))
}
