// HOT
import type { Time, Wire } from "../../net/index.ts"
import { FrameOut } from "./frame-out.ts"
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_BYTES_MAX,
  FRAME_HEAD,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_DEFAULT,
  WINDOW_UPDATE,
} from "./frames.ts"
import { HpackEncoder, hpackBytesMax } from "./hpack/encoder.ts"
import { ResetMemory } from "./reset-memory.ts"
import type { H2Stream } from "./stream.ts"
import type { H2Tuning } from "./tuning.ts"

let scratch: Buffer = Buffer.allocUnsafeSlow(32 * 1024)

/** Fewer octets in the time of a write timeout are as good as none. */
export const PROGRESS_BYTES = 4096

/** What a connection sends: the frames of its streams, and whose turn it is. */
export abstract class FrameWriter extends FrameOut {
  /** What the other side lets us send on the connection as a whole. */
  protected sendWindow = WINDOW_DEFAULT
  protected readonly encoder = new HpackEncoder()
  /** Monotonic ms when DATA last went on, and octets of it since. */
  private progressAt = 0
  private progressBytes = 0
  /** Streams that we have given up: what is on its way for them is dropped. */
  protected readonly resets = new ResetMemory()
  /** Those that have something to send, the next one first. */
  private sending: H2Stream[] = []
  /** Told to wait until the socket takes more. */
  private waiters: H2Stream[] = []

  readonly tuning: H2Tuning

  constructor(wire: Wire, time: Time, tuning: H2Tuning) {
    super(wire, time)
    this.tuning = tuning
  }

  /** As many DATA frames as windows and socket allow; returns how many octets that were. */
  writeData(stream: H2Stream, bytes: Uint8Array, from: number): number {
    let at = from
    while (at < bytes.length && !this.blocked) {
      const sent = this.writeFrame(stream, at === 0 ? bytes : bytes.subarray(at))
      if (sent === 0) break
      at += sent
    }
    return at - from
  }

  /** One DATA frame with the first of these octets; 0 = no window is open. */
  writeFrame(stream: H2Stream, bytes: Uint8Array): number {
    const most = Math.min(FRAME_BYTES_MAX, stream.sendWindow, this.sendWindow)
    if (most <= 0 || this.closed) return 0
    // Whoever opens a window by one octet gets one octet.
    if (this.tuning.padTo > 0 && most > 1) return this.writePadded(stream, bytes, most)
    const count = Math.min(bytes.length, most)
    this.room(FRAME_HEAD + count)
    const at = this.head(count, DATA, 0, stream.id)
    this.out!.set(count === bytes.length ? bytes : bytes.subarray(0, count), at)
    this.sent(stream, count, count)
    return count
  }

  /** The same, rounded up by padding as far as the windows allow, which count it (RFC 9113 section 6.1). `most`: octets that the frame may have. */
  private writePadded(stream: H2Stream, bytes: Uint8Array, most: number): number {
    const count = Math.min(bytes.length, most - 1)
    const length = Math.min(most, this.padded(count + 1))
    this.room(FRAME_HEAD + length)
    const at = this.head(length, DATA, PADDED, stream.id)
    const out = this.out!
    out[at] = length - 1 - count
    out.set(count === bytes.length ? bytes : bytes.subarray(0, count), at + 1)
    out.fill(0, at + 1 + count, at + length)
    this.sent(stream, count, length)
    return count
  }

  /** The next multiple of `padTo`. */
  private padded(length: number): number {
    const { padTo } = this.tuning
    return Math.ceil(length / padTo) * padTo
  }

  /** `count` octets have gone on in a frame that the windows count as `length`. */
  private sent(stream: H2Stream, count: number, length: number): void {
    stream.sendWindow -= length
    this.sendWindow -= length
    this.progressBytes += count
    if (this.progressBytes >= PROGRESS_BYTES) {
      this.progressBytes = 0
      this.progressAt = this.time.clock.now()
    }
  }

  /** A small body that is text, one character an octet: whole in one frame, or not at all. */
  writeDataText(stream: H2Stream, text: string): boolean {
    const count = text.length
    if (this.tuning.padTo > 0 || count > FRAME_BYTES_MAX || count > stream.sendWindow || count > this.sendWindow || this.closed || this.blocked)
      return false
    this.room(FRAME_HEAD + count)
    const at = this.head(count, DATA, 0, stream.id)
    this.out!.latin1Write(text, at, count)
    stream.sendWindow -= count
    this.sendWindow -= count
    return true
  }

  writeEnd(stream: H2Stream, trailers: string): void {
    if (this.closed) return
    if (trailers !== "") {
      this.writeHeaders(stream.id, "", trailers, true)
      this.flushSoon()
      return
    }
    if (!this.endLast(stream.id)) {
      this.room(FRAME_HEAD)
      this.head(0, DATA, END_STREAM, stream.id)
      this.seal()
    }
    this.flushSoon()
  }

  /** What the encoder has of a block beyond its lines: a status, or the pseudo fields of a request. */
  protected encodeLead(_lead: string, _encoder: HpackEncoder, _out: Buffer, at: number): number {
    return at
  }

  /** HEADERS, and CONTINUATION where the section is long. `lead` is for `encodeLead`; `lines` are ready-made. */
  writeHeaders(id: number, lead: string, lines: string, ends: boolean): void {
    if (this.closed) return
    const most = sectionBytesMax(lead, lines)
    if (most + 1 + this.tuning.padTo <= FRAME_BYTES_MAX) {
      this.writeSection(id, ends ? END_HEADERS | END_STREAM : END_HEADERS, lead, lines)
      if (ends) this.seal()
      return
    }
    if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most)
    const end = this.encode(lead, lines, scratch, 0)
    for (let from = 0; from < end || from === 0; from += FRAME_BYTES_MAX) {
      const count = Math.min(FRAME_BYTES_MAX, end - from)
      this.room(FRAME_HEAD + count)
      const flags = (from + count === end ? END_HEADERS : 0) | (ends && from === 0 ? END_STREAM : 0)
      const at = this.head(count, from === 0 ? HEADERS : CONTINUATION, flags, id)
      scratch.copy(this.out!, at, from, from + count)
    }
    this.seal()
  }

  /** A section that one frame holds, padded where frames are. */
  private writeSection(id: number, flags: number, lead: string, lines: string): void {
    const { padTo } = this.tuning
    const out = this.room(FRAME_HEAD + sectionBytesMax(lead, lines) + 1 + padTo)
    const start = this.at + FRAME_HEAD
    if (padTo === 0) {
      this.head(this.encode(lead, lines, out, start) - start, HEADERS, flags, id)
      return
    }
    const end = this.encode(lead, lines, out, start + 1)
    const length = this.padded(end - start)
    out[start] = start + length - end
    out.fill(0, end, start + length)
    this.head(length, HEADERS, flags | PADDED, id)
  }

  private encode(lead: string, lines: string, out: Buffer, from: number): number {
    const at = this.encoder.begin(out, from)
    return this.encoder.lines(lines, out, this.encodeLead(lead, this.encoder, out, at))
  }

  writeReset(id: number, code: number): void {
    if (this.closed) return
    this.resets.add(id)
    this.word(RST_STREAM, id, code)
    this.flushSoon()
  }

  openWindow(id: number, bytes: number): void {
    if (this.closed) return
    this.word(WINDOW_UPDATE, id, bytes)
    this.flushSoon()
  }

  protected writeSmall(type: number, flags: number, stream: number, payload: Uint8Array | null): void {
    const length = payload === null ? 0 : payload.length
    this.room(FRAME_HEAD + length)
    const at = this.head(length, type, flags, stream)
    if (payload !== null) this.out!.set(payload, at)
    this.seal()
    this.flushSoon()
  }

  /** Our settings, id, value, id, value …, and the connection's window, which no setting says (RFC 9113 section 6.9.2). `window`: octets. */
  protected announce(pairs: readonly number[], window: number): void {
    const payload = Buffer.alloc(pairs.length * 3)
    for (let i = 0; i < pairs.length; i += 2) {
      payload.writeUInt16BE(pairs[i]!, i * 3)
      payload.writeUInt32BE(pairs[i + 1]!, i * 3 + 2)
    }
    this.writeSmall(SETTINGS, 0, 0, payload)
    this.word(WINDOW_UPDATE, 0, window - WINDOW_DEFAULT)
  }

  protected ping(): void {
    this.writeSmall(PING, 0, 0, Buffer.alloc(8))
  }

  protected writeGoAway(last: number, code: number): void {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(last, 0)
    payload.writeUInt32BE(code, 4)
    this.writeSmall(GOAWAY, 0, 0, payload)
  }

  // ---- whose turn it is

  /** Monotonic ms when DATA last went on, for a stream that has only the others in front of it; 0 for one whose own window is closed. */
  turnsTaken(stream: H2Stream): number {
    return stream.sendWindow > 0 ? this.progressAt : 0
  }

  enqueue(stream: H2Stream): void {
    if (stream.queued) return
    stream.queued = true
    this.sending.push(stream)
  }

  /** Told to wait for the socket, or for its own turn. */
  waits(stream: H2Stream): void {
    this.waiters.push(stream)
  }

  protected onWritable(): void {
    this.serve()
  }

  /** Sends what waits, the most urgent first, as far as windows and socket allow (RFC 9218 section 10); then tells those who may go on. */
  protected serve(): void {
    while (!this.blocked && this.sendWindow > 0 && !this.closed) {
      const at = this.nextSender()
      if (at < 0) break
      const stream = this.sending[at]!
      stream.sendPending()
      if (stream.pendingBytes === 0 || stream.closed) this.unqueue(stream)
      else if (stream.incremental) {
        this.sending.splice(at, 1)
        this.sending.push(stream)
      }
    }
    this.tellDrained()
    this.flushSoon()
  }

  /** It has nothing to send any more. */
  protected unqueue(stream: H2Stream): void {
    if (!stream.queued) return
    stream.queued = false
    this.sending.splice(this.sending.indexOf(stream), 1)
  }

  private nextSender(): number {
    let best = -1
    for (let i = 0; i < this.sending.length; i++) {
      const stream = this.sending[i]!
      if (stream.sendWindow > 0 && (best < 0 || stream.urgency < this.sending[best]!.urgency)) best = i
    }
    return best
  }

  private tellDrained(): void {
    if (this.waiters.length === 0 || this.blocked) return
    const waiters = this.waiters
    this.waiters = []
    for (let i = 0; i < waiters.length; i++) {
      const stream = waiters[i]!
      if (stream.closed) continue
      if (stream.pendingBytes > 0 || this.blocked) this.waiters.push(stream)
      else stream.drained()
    }
  }
}

/** What a section cannot be longer than when it is encoded. */
function sectionBytesMax(lead: string, lines: string): number {
  return hpackBytesMax(lead.length + lines.length) + 64
}
