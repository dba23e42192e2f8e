// HOT
import type { BodyChange, Exchange } from "../../flow/index.ts"
import { dropField } from "../headers/edit-fields.ts"
import { dropOctetFields, weakenTag } from "./changed-fields.ts"
import type { Coder } from "./coder.ts"
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
  private waiting: Uint8Array[] = []
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
    // A copy: the chunk is lent.
    this.waiting.push(Buffer.from(chunk))
    this.bytes += chunk.length
    return this.bytes > this.of.wholeBytesMax ? this.begin() : NOTHING
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

  /** The head leaves before the body has ended. */
  private begin(): Uint8Array | null {
    const collected = this.takeWaiting()
    if (this.of.streams >= this.of.streamsMax) {
      this.of.refused()
      this.state = PASSES
      return collected
    }
    this.of.streams++
    this.state = ENCODES
    this.coder = this.of.encoders.take(this.coding)
    this.setFields()
    return this.encode(collected)
  }

  private takeWaiting(): Uint8Array {
    const { waiting } = this
    this.waiting = []
    return waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting)
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
    const plain = this.takeWaiting()
    this.state = PASSES
    if (bytes < of.minBytes) return plain
    const coder = of.encoders.take(coding)
    const out = coder.end(plain)
    of.encoders.give(coding, coder)
    if (out === null || out.length >= bytes) return plain
    of.saved(bytes, out.length)
    this.setFields()
    return out
  }

  /** Gives the encoder back, also when the exchange ends in the middle. */
  close(): void {
    const { coder } = this
    if (coder === null) return
    this.coder = null
    this.state = PASSES
    this.of.streams--
    this.of.encoders.give(this.coding, coder)
  }
}
