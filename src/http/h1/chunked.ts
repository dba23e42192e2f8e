// HOT
import { assert } from "../../base/index.ts"
import { areExtensions } from "./chunk-extensions.ts"
import { CLASS, CR, HEX, LF, VALUE } from "../grammar.ts"

// states of the decoder
const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER = 6
export const CHUNKS_DONE = 7
export const CHUNKS_BAD = 8

const SIZE_DIGITS_MAX = 12 // 2^48 octets
const EXTENSION_BYTES_MAX = 256
const SEMICOLON = 59

/** What a decoder hands its finds to. */
export interface ChunkSink {
  onChunkData(data: Uint8Array): void
}

/**
 * Incremental chunked decoder (RFC 9112 section 7.1). Line ends are CRLF only, also inside extensions: a decoder that forgives a bare LF there
 * sees another body than its neighbour. Extensions are checked, limited and dropped. Trailer lines are collected as text for the caller to parse.
 */
export class ChunkDecoder {
  state = SIZE
  private remaining = 0
  private digits = 0
  private extension = ""
  /** Trailer section without the blank line that ends it. */
  trailers = ""
  private readonly trailerBytesMax: number

  constructor(trailerBytesMax: number) {
    this.trailerBytesMax = trailerBytesMax
  }

  reset(): void {
    this.state = SIZE
    this.remaining = 0
    this.digits = 0
    this.extension = ""
    this.trailers = ""
  }

  /**
   * Decodes from buffer[at]; data goes to the sink at once. Returns the index behind what was used: less than the length only when the message is
   * done or bad (see `state`). A sink that ends the exchange may reset the decoder: then the state is no longer ours and the call returns.
   */
  push(buffer: Buffer, at: number, sink: ChunkSink): number {
    assert(at <= buffer.length, "decode inside the buffer")
    const length = buffer.length
    while (at < length && this.state < CHUNKS_DONE) {
      if (this.state === DATA) {
        const take = Math.min(this.remaining, length - at)
        this.remaining -= take
        if (this.remaining === 0) this.state = DATA_CR
        sink.onChunkData(at === 0 && take === length ? buffer : buffer.subarray(at, at + take))
        at += take
      } else if (this.state === TRAILER) at = this.pushTrailer(buffer, at)
      else {
        this.pushLine(buffer[at]!)
        at++
      }
    }
    return at
  }

  private pushLine(octet: number): void {
    switch (this.state) {
      case SIZE:
        this.pushSize(octet)
        return
      case EXTENSION:
        if (octet === CR) this.state = areExtensions(this.extension) ? SIZE_LF : CHUNKS_BAD
        else if ((CLASS[octet]! & VALUE) === 0 || this.extension.length === EXTENSION_BYTES_MAX) this.state = CHUNKS_BAD
        else this.extension += String.fromCharCode(octet)
        return
      case SIZE_LF:
        if (octet !== LF) this.state = CHUNKS_BAD
        else if (this.remaining === 0) this.state = TRAILER
        else this.state = DATA
        this.digits = 0
        this.extension = ""
        return
      case DATA_CR:
        this.state = octet === CR ? DATA_LF : CHUNKS_BAD
        return
      default:
        this.state = octet === LF ? SIZE : CHUNKS_BAD
        this.remaining = 0
    }
  }

  private pushSize(octet: number): void {
    if ((CLASS[octet]! & HEX) !== 0) {
      if (++this.digits > SIZE_DIGITS_MAX) this.state = CHUNKS_BAD
      else this.remaining = this.remaining * 16 + (octet <= 57 ? octet - 48 : (octet | 32) - 87)
    } else if (this.digits === 0) this.state = CHUNKS_BAD
    else if (octet === CR) this.state = SIZE_LF
    else if (octet === SEMICOLON) this.state = EXTENSION
    else this.state = CHUNKS_BAD
  }

  private pushTrailer(buffer: Buffer, at: number): number {
    // The section is short: take it octet by octet so that nothing behind it is swallowed.
    const start = at
    let text = this.trailers
    while (at < buffer.length) {
      const octet = buffer[at]!
      at++
      if (octet !== LF) continue
      text = this.trailers + buffer.latin1Slice(start, at)
      if (text === "\r\n" || text.endsWith("\r\n\r\n")) {
        this.trailers = text.substring(0, text.length - 2)
        this.state = this.trailers.length > this.trailerBytesMax ? CHUNKS_BAD : CHUNKS_DONE
        return at
      }
      if (!text.endsWith("\r\n")) this.state = CHUNKS_BAD
      if (this.state === CHUNKS_BAD) return at
    }
    this.trailers += buffer.latin1Slice(start, at)
    if (this.trailers.length > this.trailerBytesMax) this.state = CHUNKS_BAD
    return at
  }
}
