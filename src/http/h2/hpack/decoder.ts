// HOT
/**
 * HPACK decoding (RFC 7541). One decoder for each direction of a connection that we hear.
 *
 *   1 index 7                                 a field of the tables            indices: | 1 … 61 static | 62 newest … oldest |
 *   01 index 6   [name] value                 a field that enters the table
 *   0000 index 4, 0001 index 4 [name] value   a field that does not
 *   001 size 5                                the table's new size, in front of the fields only
 */
import { DynamicTable } from "./dynamic-table.ts"
import { HeaderEntry, idOfName, isSoundName, isSoundValue } from "./entry.ts"
import { decodeHuffman, huffmanDecodedMax } from "./huffman-decode.ts"
import { cursor, readInteger } from "./integer.ts"
import { STATIC, STATIC_LAST } from "./static-table.ts"

/** Takes the fields of a block in order. An entry of the tables may come again and again: it is not to be changed. */
export interface HeaderSink {
  onField(entry: HeaderEntry): void
}

/** The size of a table before anybody says anything (RFC 9113 section 6.5.2). */
export const TABLE_BYTES_DEFAULT = 4096
// The lowest size of an interval and the last one (RFC 7541 section 4.2).
const SIZE_UPDATES_MAX = 2

const SCRATCH_BYTES = 16 * 1024
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
const latin1Slice = Buffer.prototype.latin1Slice

export class HpackDecoder {
  private readonly table: DynamicTable<HeaderEntry>
  private readonly tableBytesMax: number

  /**
   * `tableBytesMax` is what our SETTINGS_HEADER_TABLE_SIZE says. A peer that has not heard it yet has a table of 4096 octets, so the table begins with
   * that size whatever ours is; size updates cannot go beyond `tableBytesMax`.
   */
  constructor(tableBytesMax: number = TABLE_BYTES_DEFAULT) {
    this.table = new DynamicTable(TABLE_BYTES_DEFAULT)
    this.tableBytesMax = tableBytesMax
  }

  /**
   * Decodes one whole header block octets[start, end). True = sound; false = COMPRESSION_ERROR (RFC 9113 section 4.3): the connection must end, and what
   * the sink heard means nothing. The sink must not call this decoder.
   */
  decode(octets: Uint8Array, start: number, end: number, sink: HeaderSink): boolean {
    let at = start
    let updatesLeft = SIZE_UPDATES_MAX
    while (at < end) {
      const first = octets[at]!
      if (first >= 0x80) {
        const index = readInteger(octets, at, end, 0x7f)
        const entry = this.entryAt(index)
        if (entry === null) return false
        at = cursor.at
        updatesLeft = 0
        sink.onField(entry)
      } else if ((first & 0xe0) === 0x20) {
        if (updatesLeft === 0) return false
        updatesLeft--
        const bytes = readInteger(octets, at, end, 0x1f)
        if (bytes < 0 || bytes > this.tableBytesMax) return false
        at = cursor.at
        this.table.resize(bytes)
      } else {
        const entry = this.literal(octets, at, end, first)
        if (entry === null) return false
        at = cursor.at
        updatesLeft = 0
        sink.onField(entry)
      }
    }
    return true
  }

  private entryAt(index: number): HeaderEntry | null {
    if (index > STATIC_LAST) return this.table.get(index - STATIC_LAST - 1)
    return index > 0 ? STATIC[index]! : null
  }

  private literal(octets: Uint8Array, start: number, end: number, first: number): HeaderEntry | null {
    const inserted = first >= 0x40
    const index = readInteger(octets, start, end, inserted ? 0x3f : 0x0f)
    if (index < 0) return null
    let name: string
    let id: number
    let soundName: boolean
    if (index > 0) {
      const known = this.entryAt(index)
      if (known === null) return null
      name = known.name
      id = known.id
      soundName = known.sound || isSoundName(name)
    } else {
      const text = readText(octets, cursor.at, end)
      if (text === null) return null
      name = text
      id = idOfName(name)
      soundName = isSoundName(name)
    }
    const value = readText(octets, cursor.at, end)
    if (value === null) return null
    const line = `${name}: ${value}\r\n`
    const entry = new HeaderEntry(name, value, inserted ? flat(line) : line, id, soundName && isSoundValue(value))
    if (inserted) this.table.insert(entry)
    return entry
  }
}

/** A text put together from others is a tree of them until somebody reads it; a line that is added to many texts is better one piece. */
function flat(text: string): string {
  return text.length > SCRATCH_BYTES ? text : scratch.latin1Slice(0, scratch.latin1Write(text, 0))
}

/** The string literal at `at` (RFC 7541 section 5.2), or null. What it claims to hold must be there before anything is made for it. */
function readText(octets: Uint8Array, at: number, end: number): string | null {
  if (at >= end) return null
  const isHuffman = octets[at]! >= 0x80
  const length = readInteger(octets, at, end, 0x7f)
  const start = cursor.at
  if (length < 0 || length > end - start) return null
  cursor.at = start + length
  if (length === 0) return ""
  if (!isHuffman) return latin1Slice.call(octets, start, start + length)
  const needed = huffmanDecodedMax(length)
  const out = needed <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafeSlow(needed)
  const count = decodeHuffman(octets, start, start + length, out)
  return count < 0 ? null : out.latin1Slice(0, count)
}
