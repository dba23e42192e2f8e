import { contentOf, describeFrame, type Frame, flag, frameType, initialFrameSize, initialWindow, setting } from "./frames.ts"
import { type DecodedField, HeaderDecoder } from "./header-block.ts"
import type { H2Stream } from "./h2-stream.ts"

const hopByHop = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"])

/**
 * What the other side does wrong, by a reading of RFC 9113 of the test's own: windows and frame sizes that it exceeds, streams that it may not open,
 * header blocks that are torn or malformed. It only takes note: what a test sends in answer is the test's affair.
 */
export class PeerRules {
  readonly violations: string[] = []
  readonly decoder = new HeaderDecoder()
  /** Ours, as the other side has acknowledged them. */
  frameSizeMax = initialFrameSize
  private initialWindow = initialWindow
  private connectionWindow = initialWindow
  private readonly windows = new Map<number, number>()
  private block: { streamId: number; parts: Buffer[]; ends: boolean } | null = null
  private readonly announced: (readonly (readonly [number, number])[])[] = []

  /** Settings that we sent; they hold from their acknowledgement on, larger tables and frames at once. */
  announce(pairs: readonly (readonly [number, number])[]): void {
    this.announced.push(pairs)
    for (const [id, value] of pairs) {
      if (id === setting.headerTableSize) this.decoder.sizeMax = Math.max(value, this.decoder.sizeMax)
      if (id === setting.maxFrameSize) this.frameSizeMax = Math.max(value, this.frameSizeMax)
    }
  }

  /** All settings that we sent are acknowledged. */
  get isSettled(): boolean {
    return this.announced.length === 0
  }

  acknowledged(): void {
    const pairs = this.announced.shift()
    if (pairs === undefined) return this.note("an acknowledgement of settings that we did not send")
    for (const [id, value] of pairs) {
      if (id === setting.maxFrameSize) this.frameSizeMax = value
      if (id === setting.headerTableSize) this.decoder.sizeMax = value
      if (id !== setting.initialWindowSize) continue
      for (const [streamId, window] of this.windows) this.windows.set(streamId, window + value - this.initialWindow)
      this.initialWindow = value
    }
  }

  /** A window that we opened further. */
  granted(streamId: number, increment: number): void {
    if (streamId === 0) this.connectionWindow += increment
    else this.windows.set(streamId, (this.windows.get(streamId) ?? this.initialWindow) + increment)
  }

  /** To be asked for every frame before anything else looks at it. */
  check(each: Frame, stream: H2Stream | undefined): void {
    if (each.payload.length > this.frameSizeMax) this.note(`above SETTINGS_MAX_FRAME_SIZE: ${describeFrame(each)}`)
    if (this.block && (each.type !== frameType.continuation || each.streamId !== this.block.streamId))
      this.note(`inside a header block of stream ${this.block.streamId}: ${describeFrame(each)}`)
    if (!this.block && each.type === frameType.continuation) this.note(`no header block is open: ${describeFrame(each)}`)
    const carries = each.type === frameType.data || each.type === frameType.headers
    if (carries && stream?.isOver) this.note(`after the end of the stream: ${describeFrame(each)}`)
    if (each.type !== frameType.data) return
    if (stream === undefined) this.note(`a stream that does not exist: ${describeFrame(each)}`)
    this.granted(0, -each.payload.length)
    this.granted(each.streamId, -each.payload.length)
    if (this.connectionWindow < 0) this.note(`beyond the connection's window: ${describeFrame(each)}`)
    if (this.windows.get(each.streamId)! < 0) this.note(`beyond the stream's window: ${describeFrame(each)}`)
  }

  /** Takes a frame of a header block; gives the fields when it was the last. */
  fragment(each: Frame): { streamId: number; fields: DecodedField[]; ends: boolean } | null {
    if (each.type === frameType.headers) this.block = { streamId: each.streamId, parts: [], ends: (each.flags & flag.endStream) !== 0 }
    if (this.block === null) return null
    this.block.parts.push(contentOf(each))
    if ((each.flags & flag.endHeaders) === 0) return null
    const { streamId, parts, ends } = this.block
    this.block = null
    return { streamId, fields: this.decode(Buffer.concat(parts)), ends }
  }

  /** Judges a head or trailers. */
  checkFields(fields: readonly DecodedField[], streamId: number): void {
    let regular = false
    for (const { name, value } of fields) {
      if (/[A-Z]/.test(name)) this.note(`stream ${streamId}: upper case in ${name}`)
      if (name.startsWith(":") && regular) this.note(`stream ${streamId}: ${name} after a regular field`)
      regular ||= !name.startsWith(":")
      if (hopByHop.has(name) || (name === "te" && value !== "trailers")) this.note(`stream ${streamId}: ${name}: ${value}`)
      if (/[\r\n\0]/.test(value)) this.note(`stream ${streamId}: a line break in ${name}`)
    }
  }

  note(what: string): void {
    this.violations.push(what)
  }

  private decode(block: Buffer): DecodedField[] {
    try {
      return this.decoder.decode(block)
    } catch (error) {
      this.note(`header block: ${(error as Error).message}`)
      return []
    }
  }
}
