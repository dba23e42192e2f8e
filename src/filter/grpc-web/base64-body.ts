// HOT
import type { BodyChange } from "../../flow/index.ts"

const PAD = 64
const BAD = -1
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
const values = new Int8Array(256).fill(BAD)
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i
values[61] = PAD

const nothing = new Uint8Array(0)

/**
 * Reads a body in base64 (RFC 4648 section 4) in chunks of any length. Padding may stand wherever a group of four ends: clients encode their
 * messages one by one. Strict otherwise.
 */
export class FromBase64 implements BodyChange {
  trailers = ""
  /** Bits of the group that has begun, how many characters brought them, and how many of padding came behind. */
  private bits = 0
  private count = 0
  private pads = 0

  push(chunk: Uint8Array): Uint8Array | null {
    const out = Buffer.allocUnsafe(Math.ceil((chunk.length * 3) / 4) + 3)
    let at = 0
    for (let i = 0; i < chunk.length; i++) {
      const value = values[chunk[i]!]!
      if (value === BAD) return null
      if (value === PAD) {
        if (this.count < 2) return null
        this.pads++
      } else {
        if (this.pads > 0) return null
        this.bits = (this.bits << 6) | value
        this.count++
      }
      if (this.count + this.pads < 4) continue
      const bits = this.bits << (6 * this.pads)
      out[at++] = bits >>> 16
      if (this.pads < 2) out[at++] = (bits >>> 8) & 255
      if (this.pads < 1) out[at++] = bits & 255
      this.bits = 0
      this.count = 0
      this.pads = 0
    }
    return out.subarray(0, at)
  }

  end(trailers: string): Uint8Array | null {
    this.trailers = trailers
    return this.count + this.pads === 0 ? nothing : null
  }
}

/** Writes base64 a piece at a time: up to two octets wait for the next piece, unless this one is to be read at once, and padding stands behind it. */
export class ToBase64 {
  private rest: Uint8Array = nothing

  write(piece: Uint8Array, whole: boolean): Uint8Array {
    const all = this.rest.length === 0 ? Buffer.from(piece.buffer, piece.byteOffset, piece.length) : Buffer.concat([this.rest, piece])
    const cut = whole ? all.length : all.length - (all.length % 3)
    // A copy: the piece is lent.
    this.rest = cut === all.length ? nothing : Buffer.from(all.subarray(cut))
    return Buffer.from(all.toString("base64", 0, cut), "latin1")
  }
}
