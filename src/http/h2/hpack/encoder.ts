// HOT
/**
 * HPACK encoding (RFC 7541). One encoder for each direction of a connection that we speak.
 *
 *   line ── follows as the last time? ──> its index                              one comparison
 *        ── in the table? ──> its index                                          one look-up
 *        ── by its name: left out, literal, never-indexed literal                raw octets: cheaper for both than Huffman code
 *        ── seen before, on any connection? ──> enters the table                 Huffman where shorter, made once for all connections
 *        ── else literal
 */
import { assert } from "../../../base/index.ts"
import { EncoderTable, IN_STATIC, IN_TABLE, LEFT_OUT, LineStep, NAME_LEFT_OUT, NAME_LITERAL } from "./encoder-table.ts"
import { ENTRY_OVERHEAD } from "./entry.ts"
import { FORM, writeInteger } from "./integer.ts"
import { KEPT_BYTES_MAX, type KnownLine, knownLine, trimmed } from "./known-line.ts"
import { DROPPED, type KnownName, knownName, REPEATS, TE } from "./known-name.ts"
import { STATIC_LAST } from "./static-table.ts"

/** Our table's size at most; also what a peer's is before it says anything (RFC 9113 section 6.5.2). */
const TABLE_BYTES_MAX = 4096
const STATUS_NAME_INDEX = 8

/** Octets that `begin`, `status`, `lines` and the pseudo fields can need at most, for all characters of the lines and of the pseudo fields' values. */
export function hpackBytesMax(textLength: number): number {
  // A line brings four characters that go (": ", CR LF) and needs three octets, more only where it is long.
  return textLength + (textLength >>> 5) + 128
}

export class HpackEncoder {
  private readonly table = new EncoderTable(TABLE_BYTES_MAX)
  /** The smallest size since the last block, while an update is due; otherwise -1. */
  private lowestDue = -1
  /** What the first line of a block follows. */
  private readonly start = new LineStep("", LEFT_OUT, null, null, 0)
  private authority: LineStep | null = null
  /** The step of the line that was looked up last; null when it has none. */
  private found: LineStep | null = null

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; ours never exceeds 4096 (smaller wins). The next block begins with the size updates that are due. */
  setTableBytesMax(bytes: number): void {
    const size = Math.min(bytes, TABLE_BYTES_MAX)
    if (size === this.table.bytesMax) return
    this.lowestDue = this.lowestDue < 0 ? size : Math.min(this.lowestDue, size)
    this.table.resize(size)
  }

  /** Begins a block in `out` at `at`: the size updates that are due (RFC 7541 section 4.2). Returns the index behind. */
  begin(out: Uint8Array, at: number): number {
    if (this.lowestDue < 0) return at
    const size = this.table.bytesMax
    if (this.lowestDue < size) at = writeInteger(out, at, FORM.tableSize, this.lowestDue)
    this.lowestDue = -1
    return writeInteger(out, at, FORM.tableSize, size)
  }

  /** `:status`, three digits. */
  status(status: number, out: Buffer, at: number): number {
    const index = STATUS_INDEX[status]!
    if (index !== 0) {
      out[at] = 0x80 | index
      return at + 1
    }
    out[at] = STATUS_NAME_INDEX
    out[at + 1] = 3
    out[at + 2] = 48 + ((status / 100) | 0)
    out[at + 3] = 48 + (((status / 10) | 0) % 10)
    out[at + 4] = 48 + (status % 10)
    return at + 5
  }

  /** A pseudo field (`:method`, `:path`, `:authority`, `:scheme`, `:protocol`). */
  pseudo(name: string, value: string, out: Buffer, at: number): number {
    if (name === ":path" && value !== "/") return literal(PATH, value, out, at)
    if (name === ":authority") {
      const step = this.authority
      if (step !== null && step.value === value && step.number >= 0) return this.writeIndex(step, out, at)
      at = this.whole(`:authority: ${value}\r\n`, out, at)
      this.authority = this.found?.kind === IN_TABLE ? this.found : null
      return at
    }
    const index = pseudoIndex(name, value)
    if (index === 0) return this.whole(`${name}: ${value}\r\n`, out, at)
    out[at] = 0x80 | index
    return at + 1
  }

  /**
   * Lines `Name: value\r\n` as Fields.render() gives them, names in any case: they go out in lower case. Leaves out the fields of one connection
   * (RFC 9113 section 8.2.2) and Host; TE goes out only as `trailers`. `out` must have hpackBytesMax(text.length) octets from `at` on.
   */
  lines(text: string, out: Buffer, at: number): number {
    let last = this.start
    let pos = 0
    const length = text.length
    while (pos < length) {
      let step = last.after
      if (step !== null && step.number >= 0 && text.startsWith(step.text, pos)) {
        let end = pos + step.text.length
        if (step.kind === IN_TABLE) at = this.writeIndex(step, out, at)
        else if (step.kind === IN_STATIC) at = writeInteger(out, at, FORM.indexed, step.number)
        else if (step.kind !== LEFT_OUT) {
          const valueStart = end
          end = lineEnd(text, end)
          if (step.kind === NAME_LITERAL) at = literal(step.name!, trimmed(text, valueStart, end - 2), out, at)
        }
        pos = end
      } else {
        const end = lineEnd(text, pos)
        at = this.whole(text.substring(pos, end), out, at)
        pos = end
        step = this.found
        if (step === null) continue
        last.after = step
      }
      last = step
    }
    assert(at <= out.length, "a header block fits its buffer")
    return at
  }

  /** Writes a whole line by looking it up; `found` is the step that it can be known by the next time, or null. */
  private whole(raw: string, out: Buffer, at: number): number {
    const known = this.table.find(raw)
    if (known !== undefined) {
      this.found = known
      return this.writeIndex(known, out, at)
    }
    this.found = null
    const colon = raw.indexOf(":", 1)
    // Without a colon it is no field.
    if (colon < 0) return at
    const name = knownName(raw.substring(0, colon))
    if (name.treatment !== REPEATS && name.treatment !== TE) {
      const dropped = name.treatment === DROPPED
      this.found = new LineStep(name.prefix, dropped ? NAME_LEFT_OUT : NAME_LITERAL, name, null, 0)
      return dropped ? at : literal(name, trimmed(raw, colon + 1, raw.length - 2), out, at)
    }
    if (raw.length + ENTRY_OVERHEAD > KEPT_BYTES_MAX) {
      return name.treatment === TE ? at : literal(name, trimmed(raw, colon + 1, raw.length - 2), out, at)
    }
    return this.repeating(knownLine(raw), out, at)
  }

  /** Writes a line that may enter the table. */
  private repeating(line: KnownLine, out: Buffer, at: number): number {
    if (line.dropped) {
      this.found = new LineStep(line.raw, LEFT_OUT, null, null, 0)
      return at
    }
    if (line.staticIndex !== 0) {
      this.found = new LineStep(line.raw, IN_STATIC, null, null, line.staticIndex)
      return writeInteger(out, at, FORM.indexed, line.staticIndex)
    }
    if (!line.repeats || line.size * 4 > this.table.bytesMax) return literal(line.name, line.value, out, at)
    this.found = this.table.add(line)
    return line.writeInserted(out, at)
  }

  private writeIndex(step: LineStep, out: Uint8Array, at: number): number {
    const index = STATIC_LAST + this.table.inserted - step.number
    if (index < 0x7f) {
      out[at] = 0x80 | index
      return at + 1
    }
    return writeInteger(out, at, FORM.indexed, index)
  }
}

const PATH = knownName(":path")
const STATUS_INDEX = new Uint8Array(1000)
for (const [index, status] of [200, 204, 206, 304, 400, 404, 500].entries()) STATUS_INDEX[status] = STATUS_NAME_INDEX + index

/** Indices of RFC 7541 appendix A for the pseudo fields of a request; 0 for others. */
function pseudoIndex(name: string, value: string): number {
  if (name === ":method") return value === "GET" ? 2 : value === "POST" ? 3 : 0
  if (name === ":scheme") return value === "https" ? 7 : value === "http" ? 6 : 0
  return name === ":path" ? 4 : 0
}

/** A literal that does not enter the table. */
function literal(name: KnownName, value: string, out: Buffer, at: number): number {
  at = writeInteger(out, at, name.form, name.staticIndex)
  if (name.staticIndex === 0) {
    at = writeInteger(out, at, FORM.text, name.lower.length)
    at += out.latin1Write(name.lower, at)
  }
  at = writeInteger(out, at, FORM.text, value.length)
  return value.length === 0 ? at : at + out.latin1Write(value, at)
}

/** Behind the CR LF of the line at `from`. */
function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\r\n", from)
  return end < 0 ? text.length : end + 2
}
