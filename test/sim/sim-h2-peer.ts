import {
  dataFrame,
  errorCode,
  flag,
  FrameReader,
  frameType,
  goawayFrame,
  headersFrame,
  preface,
  rstStreamFrame,
  settingsAck,
  settingsFrame,
} from "../support/h2/frames.ts"
import { headerBlock, HeaderDecoder } from "../support/h2/header-block.ts"
import type { FakeWire } from "./fake-wire.ts"

/** A peer that speaks HTTP/2 on a fake connection, one frame at a time, as it is told. */
export class SimH2Peer {
  readonly wire: FakeWire
  /** Streams that wait for an answer, or the rest of one. */
  readonly open = new Set<number>()
  readonly headed = new Set<number>()
  /** x-id of each request that came whole. */
  readonly ids = new Map<number, string>()
  highest = 0
  settled = false
  private streamsMax = Number.POSITIVE_INFINITY
  readonly problems: string[] = []
  private readonly reader = new FrameReader()
  private readonly decoder = new HeaderDecoder()
  private at = preface.length
  private readonly announced: number[] = []

  constructor(wire: FakeWire) {
    this.wire = wire
  }

  /** Reads what has been written meanwhile; true = there was something. */
  read(): boolean {
    const { sent } = this.wire
    if (sent.length <= this.at) return false
    const fresh = Buffer.from(sent.slice(this.at), "latin1")
    this.at = sent.length
    for (const frame of this.reader.push(fresh)) {
      if (frame.type === frameType.headers) this.begin(frame.streamId, frame.payload)
      else if (frame.type === frameType.rstStream) this.over(frame.streamId)
      else if (frame.type === frameType.settings) this.acknowledge((frame.flags & flag.ack) !== 0)
      else if (frame.type === frameType.goaway && frame.payload.readUInt32BE(4) !== 0) this.problems.push("an error that we did not make")
    }
    return true
  }

  /** A limit holds from its acknowledgement on; what is under way then need not be fewer. */
  private acknowledge(ours: boolean): void {
    if (ours) this.streamsMax = Math.max(this.announced.shift()!, this.open.size)
    else this.say(settingsAck())
  }

  private begin(id: number, block: Buffer): void {
    const fields = this.decoder.decode(block)
    if (id <= this.highest) this.problems.push(`stream ${id} after ${this.highest}`)
    this.highest = id
    this.ids.set(id, fields.find(({ name }) => name === "x-id")?.value ?? "")
    this.open.add(id)
    if (this.open.size > this.streamsMax) this.problems.push(`${this.open.size} streams at once, not ${this.streamsMax}`)
  }

  private over(id: number): void {
    this.open.delete(id)
    this.headed.delete(id)
  }

  private say(frame: Buffer): void {
    // An acknowledgement is no greeting.
    if (this.wire.listening && this.settled) this.wire.deliver(frame.toString("latin1"))
  }

  settings(streamsMax: number): void {
    this.announced.push(streamsMax)
    const first = !this.settled
    this.settled = true
    this.say(settingsFrame({ maxConcurrentStreams: streamsMax }))
    if (first) this.say(settingsAck())
  }

  head(id: number, status = 200, end = false): void {
    if (!this.settled) return
    if (!this.open.has(id) || this.headed.has(id)) return
    this.headed.add(id)
    if (end) this.over(id)
    this.say(
      headersFrame(
        id,
        headerBlock([
          [":status", String(status)],
          ["x-id", this.ids.get(id)!],
        ]),
        { end },
      ),
    )
  }

  data(id: number, end: boolean): void {
    if (!this.settled) return
    if (!this.headed.has(id)) return
    if (end) this.over(id)
    this.say(dataFrame(id, `body of ${this.ids.get(id)} `, { end }))
  }

  finish(id: number): void {
    if (this.headed.has(id)) this.data(id, true)
    else this.head(id, 200, true)
  }

  reset(id: number, code: number): void {
    if (!this.settled) return
    if (!this.open.has(id)) return
    this.over(id)
    this.say(rstStreamFrame(id, code))
  }

  goaway(last: number): void {
    if (!this.settled) return
    for (const id of [...this.open]) if (id > last) this.over(id)
    this.say(goawayFrame(last, errorCode.noError))
  }
}
