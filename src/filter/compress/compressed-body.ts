// HOT
import type { BodyChange, Exchange } from "../../flow/index.ts"
import { dropField } from "../headers/edit-fields.ts"
import { dropOctetFields, weakenTag } from "./changed-fields.ts"
import type { Coder } from "./coder.ts"
import { type Collector, giveCollector, takeCollector } from "./collector.ts"
import type { Coding, Encoders } from "./encoders.ts"

/** What the bodies of one filter have in common. */
export interface Compression {
  readonly encoders: Encoders
  /** Shorter bodies go as they are, where their length is known in time. */
  readonly minBytes: number
  /** Up to here a body that is there at once is encoded in one go, and its length is told. */
  readonly wholeBytesMax: number
  /** Bodies that are encoded while they come, at the same time; further ones go as they are. */
  readonly streamsMax: number
  streams: number
  /** Counts octets before and behind, and bodies that had to go as they are. */
  saved(before: number, after: number): void
  refused(): void
}

const NOTHING = new Uint8Array(0)

const WAITS = 0
const ENCODES = 1
const PASSES = 2

/**
 * A response body on its way through an encoder.
 *
 *   waits    collects what comes until the source pauses, or it is too much: then it encodes, and the head leaves
 *            the end comes first: all is encoded in one go and has a length; what would not be smaller goes as it is
 *   encodes  each chunk as it comes; all of it comes out whenever the source pauses
 */
export class CompressedBody implements BodyChange {
  trailers = ""
  private readonly x: Exchange
  private readonly of: Compression
  private readonly coding: Coding
  /** Octets that will come, -1 = not known. */
  private readonly expected: number
  private state = WAITS
  /** What waits, and how many octets of it there are. */
  private waiting: Collector | null = null
  private bytes = 0
  private coder: Coder | null = null
  /** The encoder has something that has not come out. */
  private hasRest = false

  constructor(x: Exchange, of: Compression, coding: Coding, expected: number) {
    this.x = x
    this.of = of
    this.coding = coding
    this.expected = expected
  }

  get holdsHead(): boolean {
    return this.state === WAITS
  }

  push(chunk: Uint8Array): Uint8Array | null {
    if (this.state === PASSES) return chunk
    if (this.state === ENCODES) return this.encode(chunk)
    if (this.bytes + chunk.length > this.of.wholeBytesMax) return this.beginWith(chunk)
    // A copy: the chunk is lent.
    if (this.waiting === null) this.waiting = takeCollector()
    this.waiting.add(chunk, this.bytes)
    this.bytes += chunk.length
    return NOTHING
  }

  private encode(chunk: Uint8Array): Uint8Array | null {
    const out = this.coder!.more(chunk)
    if (chunk.length > 0) this.hasRest = true
    this.count(chunk.length, out)
    return out
  }

  private count(before: number, out: Uint8Array | null): void {
    this.of.saved(before, out === null ? 0 : out.length)
  }

  private beginWith(chunk: Uint8Array): Uint8Array | null {
    const begun = this.begin()
    const more = begun === null ? null : this.push(chunk)
    if (begun === null || more === null || more.length === 0) return more === null ? null : begun
    return begun.length === 0 ? more : Buffer.concat([begun, more])
  }

  /** The head leaves before the body has ended. */
  private begin(): Uint8Array | null {
    if (this.of.streams >= this.of.streamsMax) {
      this.of.refused()
      this.state = PASSES
      return this.takeWaiting()
    }
    this.of.streams++
    this.state = ENCODES
    this.coder = this.of.encoders.take(this.coding)
    this.setFields()
    const begun = this.waiting === null ? NOTHING : this.encode(this.waiting.octets(this.bytes))
    this.dropWaiting()
    return begun
  }

  /** A copy: what collects is another body's next. */
  private takeWaiting(): Uint8Array {
    const { waiting } = this
    if (waiting === null) return NOTHING
    const octets = Buffer.from(waiting.octets(this.bytes))
    this.dropWaiting()
    return octets
  }

  private dropWaiting(): void {
    if (this.waiting !== null) giveCollector(this.waiting)
    this.waiting = null
  }

  private setFields(): void {
    const { x } = this
    dropOctetFields(x.response)
    dropField(x.response, "content-encoding")
    x.response.append("Content-Encoding", this.coding)
    weakenTag(x)
  }

  flush(): Uint8Array | null {
    if (this.state === PASSES) return NOTHING
    let begun: Uint8Array | null = NOTHING
    if (this.state === WAITS) {
      // Of a body whose length is known the rest is not far, or the end is all that is left.
      if (this.expected >= 0 && (this.bytes === 0 || this.bytes >= this.expected)) return NOTHING
      begun = this.begin()
      if (begun === null || (this.state as number) === PASSES) return begun
    }
    if (!this.hasRest) return begun
    this.hasRest = false
    const rest = this.coder!.flush()
    this.count(0, rest)
    if (rest === null || begun.length === 0) return rest
    return Buffer.concat([begun, rest])
  }

  end(trailers: string): Uint8Array | null {
    this.trailers = trailers
    if (this.state === PASSES) return NOTHING
    if (this.state === WAITS) return this.encodeWhole()
    const out = this.coder!.end()
    this.count(0, out)
    this.close()
    return out
  }

  private encodeWhole(): Uint8Array | null {
    const { of, coding, bytes } = this
    this.state = PASSES
    if (bytes < of.minBytes || this.waiting === null) return this.takeWaiting()
    const coder = of.encoders.take(coding)
    const out = coder.end(this.waiting.octets(bytes))
    of.encoders.give(coding, coder)
    if (out === null || out.length >= bytes) return this.takeWaiting()
    this.dropWaiting()
    of.saved(bytes, out.length)
    this.setFields()
    return out
  }

  /** Gives the encoder back, also when the exchange ends in the middle. */
  close(): void {
    this.dropWaiting()
    const { coder } = this
    if (coder === null) return
    this.coder = null
    this.state = PASSES
    this.of.streams--
    this.of.encoders.give(this.coding, coder)
  }
}
