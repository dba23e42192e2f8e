import {
  contentOf,
  codeOf,
  describeFrame,
  type Frame,
  FrameReader,
  flag,
  frameType,
  type Goaway,
  pingFrame,
  setting,
  settingsAck,
  settingsOf,
  windowUpdateFrame,
} from "./frames.ts"
import { H2Stream } from "./h2-stream.ts"
import { PeerRules } from "./peer-rules.ts"
import { SendQueue } from "./send-queue.ts"

export interface FrameIntakeOptions {
  /** Acknowledges the other side's SETTINGS; on by default. */
  readonly ackSettings?: boolean
  /** Answers PING; on by default. */
  readonly ackPings?: boolean
  /** Gives back each DATA frame's octets to both windows at once; on by default. */
  readonly updateWindows?: boolean
}

/** Takes frames as they come, keeps them, and does what the three switches say. */
export abstract class FrameIntake {
  /** Every frame that came, in order. */
  readonly frames: Frame[] = []
  readonly streams = new Map<number, H2Stream>()
  readonly goaways: Goaway[] = []
  readonly peerSettings = new Map<number, number>()
  readonly rules = new PeerRules()
  readonly queue: SendQueue
  ackSettings: boolean
  ackPings: boolean
  updateWindows: boolean
  private readonly reader = new FrameReader()

  constructor({ ackSettings = true, ackPings = true, updateWindows = true }: FrameIntakeOptions) {
    this.ackSettings = ackSettings
    this.ackPings = ackPings
    this.updateWindows = updateWindows
    this.queue = new SendQueue(bytes => this.send(bytes))
  }

  abstract send(bytes: Buffer): void

  /** What the other side did wrong, by the tests' own reading of the RFC. */
  get violations(): readonly string[] {
    return this.rules.violations
  }

  /** The stream of this number, made when it is new. */
  stream(id: number): H2Stream {
    let stream = this.streams.get(id)
    if (stream === undefined) this.streams.set(id, (stream = new H2Stream(id)))
    return stream
  }

  windowUpdate(streamId: number, increment: number): void {
    this.rules.granted(streamId, increment)
    this.send(windowUpdateFrame(streamId, increment))
  }

  /** The last frames that came, a line each. */
  story(): string {
    const left = this.reader.unread.length
    return this.frames.slice(-20).map(describeFrame).join("\n") + (left > 0 ? `\nand ${left} octets that are no frame yet` : "")
  }

  protected push(chunk: Buffer): void {
    for (const each of this.reader.push(chunk)) {
      this.frames.push(each)
      this.rules.check(each, this.streams.get(each.streamId))
      this.take(each)
    }
  }

  /** A head that came whole; `isNew` when the other side opened the stream with it. */
  protected headCame(_stream: H2Stream, _isNew: boolean): void {}

  private take(each: Frame): void {
    if (each.type === frameType.data) this.takeData(each)
    else if (each.type === frameType.headers || each.type === frameType.continuation) this.takeBlock(each)
    else if (each.type === frameType.settings) this.takeSettings(each)
    else if (each.type === frameType.windowUpdate && each.payload.length === 4) this.takeWindow(each)
    else if (each.type === frameType.rstStream && each.payload.length === 4) this.takeReset(each)
    else if (each.type === frameType.ping && (each.flags & flag.ack) === 0 && this.ackPings) this.send(pingFrame(each.payload, true))
    else if (each.type === frameType.goaway && each.payload.length >= 8)
      this.goaways.push({ lastStreamId: each.payload.readUInt32BE(0), code: codeOf(each), debug: each.payload.toString("latin1", 8) })
  }

  private takeData(each: Frame): void {
    const stream = this.stream(each.streamId)
    stream.addData(contentOf(each))
    if (each.flags & flag.endStream) stream.ended = true
    if (!this.updateWindows || each.payload.length === 0) return
    this.windowUpdate(0, each.payload.length)
    if (!stream.ended) this.windowUpdate(each.streamId, each.payload.length)
  }

  private takeBlock(each: Frame): void {
    const block = this.rules.fragment(each)
    if (block === null) return
    const isNew = !this.streams.has(block.streamId)
    const stream = this.stream(block.streamId)
    this.rules.checkFields(block.fields, block.streamId)
    stream.addHead(block.fields)
    if (block.ends) stream.ended = true
    this.headCame(stream, isNew)
  }

  private takeSettings(each: Frame): void {
    if (each.flags & flag.ack) return this.rules.acknowledged()
    for (const [id, value] of settingsOf(each)) {
      this.peerSettings.set(id, value)
      if (id === setting.initialWindowSize) this.queue.changeInitialWindow(value)
      if (id === setting.maxFrameSize) this.queue.frameSize = value
    }
    if (this.ackSettings) this.send(settingsAck())
    this.queue.flush()
  }

  private takeWindow(each: Frame): void {
    this.queue.take(each.streamId, -(each.payload.readUInt32BE(0) & 0x7fff_ffff))
    this.queue.flush()
  }

  private takeReset(each: Frame): void {
    this.stream(each.streamId).resetCode = codeOf(each)
    this.queue.drop(each.streamId)
  }
}
