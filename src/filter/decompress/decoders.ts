import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw, createZstdDecompress } from "node:zlib"
import { Coder, type CodingStream } from "../compress/coder.ts"
import { flagsOf } from "../compress/encoders.ts"

/** Content codings that are taken off (RFC 9110 section 8.4.1, RFC 7932, RFC 8878). */
export type Decodable = "gzip" | "deflate" | "br" | "zstd"

const chunkSize = 64
/** Texts on the web have a window of 8 MiB at most (RFC 9659 section 3). */
const ZSTD_WINDOW_LOG_MAX = 23
/** Magic number, frame header and one block's header (RFC 8878 section 3.1.1). */
const ZSTD_FRAME_BYTES_MIN = 9
const ZLIB_HEAD_BYTES = 2
const NOTHING = new Uint8Array(0)
/** No frame of zstd begins with these octets: whoever reads on behind one complains, and whoever is in the middle of one takes them. */
const NO_FRAME = new Uint8Array(8).fill(0x55)

/** The name of a coding as a message may give it; null = one that is not known here, "" = none. */
export function decodableOf(name: string): Decodable | "" | null {
  switch (name.trim().toLowerCase()) {
    case "gzip":
    case "x-gzip":
      return "gzip"
    case "deflate":
      return "deflate"
    case "br":
      return "br"
    case "zstd":
      return "zstd"
    case "identity":
    case "":
      return ""
    default:
      return null
  }
}

/** Takes one coding off one body, piece by piece. null = it cannot be read, or is more than it may be. */
export interface Decoder {
  more(input: Uint8Array, bytesMax: number): Uint8Array | null
  /** The body is complete; null also where the coding is not. */
  end(bytesMax: number): Uint8Array | null
  readonly hasOverflowed: boolean
  close(): void
}

export function decoderOf(coding: Decodable): Decoder {
  if (coding === "deflate") return new DeflateDecoder()
  if (coding === "zstd") return new ZstdDecoder()
  return new PlainDecoder(coderOf(coding))
}

function coderOf(coding: Exclude<Decodable, "deflate"> | "zlib" | "raw"): Coder {
  const flags = coding === "br" ? flagsOf.br : coding === "zstd" ? flagsOf.zstd : flagsOf.gzip
  return new Coder(makeStream(coding) as unknown as CodingStream, flags)
}

function makeStream(coding: string) {
  if (coding === "gzip") return createGunzip({ chunkSize })
  if (coding === "zlib") return createInflate({ chunkSize })
  if (coding === "raw") return createInflateRaw({ chunkSize })
  if (coding === "br") return createBrotliDecompress({ chunkSize })
  return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } })
}

/** gzip (several members count as one body, RFC 1952 section 2.2) and brotli. */
class PlainDecoder implements Decoder {
  protected readonly coder: Coder
  protected came = 0
  private hasEnded = false

  constructor(coder: Coder) {
    this.coder = coder
  }

  get hasOverflowed(): boolean {
    return this.coder.hasOverflowed
  }

  more(input: Uint8Array, bytesMax: number): Uint8Array | null {
    if (input.length === 0) return NOTHING
    // Octets behind the end of the coding are not part of it, and nobody knows what they are.
    if (this.hasEnded) return null
    this.came += input.length
    const out = this.coder.more(input, bytesMax)
    this.hasEnded = this.coder.left > 0
    return this.hasEnded ? null : out
  }

  end(bytesMax: number): Uint8Array | null {
    return this.came === 0 ? NOTHING : this.finish(bytesMax)
  }

  protected finish(bytesMax: number): Uint8Array | null {
    return this.coder.end(NOTHING, bytesMax)
  }

  close(): void {
    this.coder.close()
  }
}

/** zstd, whose library does not tell a frame that is cut from one that has ended. */
class ZstdDecoder extends PlainDecoder {
  constructor() {
    super(coderOf("zstd"))
  }

  protected override finish(bytesMax: number): Uint8Array | null {
    const rest = this.coder.end(NOTHING, bytesMax)
    if (rest === null || this.came < ZSTD_FRAME_BYTES_MIN) return null
    const more = this.coder.more(NO_FRAME)
    const hasEnded = this.coder.left === NO_FRAME.length || (more === null && this.coder.failure.includes("prefix_unknown"))
    return hasEnded ? rest : null
  }
}

/** "deflate" is zlib's form, and there are servers and clients that send the bare one (RFC 9110 section 8.4.1.2). */
class DeflateDecoder implements Decoder {
  private of: PlainDecoder | null = null
  private head: Uint8Array = NOTHING

  get hasOverflowed(): boolean {
    return this.of?.hasOverflowed ?? false
  }

  more(input: Uint8Array, bytesMax: number): Uint8Array | null {
    if (this.of !== null) return this.of.more(input, bytesMax)
    const head = Buffer.concat([this.head, input])
    this.head = head
    if (head.length < ZLIB_HEAD_BYTES) return NOTHING
    this.of = new PlainDecoder(coderOf(isZlib(head) ? "zlib" : "raw"))
    this.head = NOTHING
    return this.of.more(head, bytesMax)
  }

  end(bytesMax: number): Uint8Array | null {
    if (this.of !== null) return this.of.end(bytesMax)
    return this.head.length === 0 ? NOTHING : null
  }

  close(): void {
    this.of?.close()
  }
}

/** RFC 1950 section 2.2. */
function isZlib(head: Uint8Array): boolean {
  return (head[0]! & 15) === 8 && ((head[0]! << 8) | head[1]!) % 31 === 0
}
