import type { Fault } from "../../base/index.ts"
import type { BodyChange } from "../../flow/index.ts"
import { type Decodable, type Decoder, decoderOf } from "./decoders.ts"

/** What an inflated body may be. */
export interface InflateLimits {
  /** Octets of the inflated body. */
  readonly inflatedBytesMax: number
  /** How many times larger than what came it may be. */
  readonly ratioMax: number
}

/** Up to here a body may be as small as it likes: a megabyte hurts nobody, and short texts of one letter are no attack. */
const RATIO_FROM_BYTES = 1024 * 1024

const NOTHING = new Uint8Array(0)

export interface InflateFaults {
  readonly malformed: Fault
  readonly bomb: Fault
}

/** A body on its way through the decoders of its codings, the last that was applied first. */
export class InflatedBody implements BodyChange {
  trailers = ""
  fault: Fault
  /** Of a response: until something has come, so that a bomb or what is no such coding can still be answered with an error. */
  holdsHead = true
  private readonly decoders: readonly Decoder[]
  private readonly limits: InflateLimits
  private readonly faults: InflateFaults
  private came = 0
  private readonly isSoon: boolean
  /** Octets that each decoder has given. */
  private readonly given: number[]

  /** `codings` in the order they were applied, as Content-Encoding lists them. `isSoon`: its length is known. */
  constructor(codings: readonly Decodable[], limits: InflateLimits, faults: InflateFaults, isSoon = false) {
    this.isSoon = isSoon
    this.decoders = codings.map(decoderOf).reverse()
    this.given = this.decoders.map(() => 0)
    this.limits = limits
    this.faults = faults
    this.fault = faults.malformed
  }

  push(chunk: Uint8Array): Uint8Array | null {
    this.came += chunk.length
    const out = this.through(chunk, 0)
    // Where nothing can be made of it the head goes on waiting, for an error.
    if (out !== null) this.holdsHead = false
    return out
  }

  /** Of a body whose length is known the beginning is not far. */
  flush(): Uint8Array {
    if (!this.isSoon) this.holdsHead = false
    return NOTHING
  }

  /** Through the decoders from `first` on. */
  private through(chunk: Uint8Array, first: number): Uint8Array | null {
    let piece: Uint8Array | null = chunk
    for (let i = first; i < this.decoders.length && piece.length > 0; i++) {
      piece = this.counted(i, this.decoders[i]!.more(piece, this.leftFor(i)))
      if (piece === null) return null
    }
    return piece
  }

  /** What is in between counts, too: a bomb may be wrapped. */
  private leftFor(decoder: number): number {
    const { inflatedBytesMax, ratioMax } = this.limits
    return Math.min(inflatedBytesMax, Math.max(RATIO_FROM_BYTES, this.came * ratioMax)) - this.given[decoder]!
  }

  private counted(decoder: number, out: Uint8Array | null): Uint8Array | null {
    if (out !== null) this.given[decoder]! += out.length
    else if (this.decoders[decoder]!.hasOverflowed) this.fault = this.faults.bomb
    return out
  }

  end(trailers: string): Uint8Array | null {
    this.trailers = trailers
    const parts: Uint8Array[] = []
    for (let i = 0; i < this.decoders.length; i++) {
      const rest = this.counted(i, this.decoders[i]!.end(this.leftFor(i)))
      const out = rest === null ? null : this.through(rest, i + 1)
      if (out === null) return null
      if (out.length > 0) parts.push(out)
    }
    this.close()
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** Frees what the decoders have; also when the exchange ends in the middle. */
  close(): void {
    for (const decoder of this.decoders) decoder.close()
  }
}
