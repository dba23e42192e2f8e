import { constants, createBrotliCompress, createGzip, createZstdCompress } from "node:zlib"
import { Coder, type CodingStream, type Flags } from "./coder.ts"

/** Content codings that are made (RFC 9110 section 8.4.1, RFC 7932, RFC 8878). */
export type Coding = "zstd" | "br" | "gzip"
export type Levels = Readonly<Record<Coding, number>>

/** Encoders of gzip that are kept for another body: making one costs about 10 µs. The others forget their level when they are reset. */
const KEEP_MAX = 16
/** The runtime makes a buffer of this size for a reader that there is none of. */
const chunkSize = 64
/** 512 KB: what an encoder remembers; more costs memory for each body on its way, and texts are seldom as long. */
const WINDOW_LOG = 19

export const flagsOf: Readonly<Record<Coding, Flags>> = {
  gzip: { more: constants.Z_NO_FLUSH, flush: constants.Z_SYNC_FLUSH, end: constants.Z_FINISH },
  br: { more: constants.BROTLI_OPERATION_PROCESS, flush: constants.BROTLI_OPERATION_FLUSH, end: constants.BROTLI_OPERATION_FINISH },
  zstd: { more: constants.ZSTD_e_continue, flush: constants.ZSTD_e_flush, end: constants.ZSTD_e_end },
}

/** Makes encoders of one filter. */
export class Encoders {
  private readonly levels: Levels
  private readonly kept: Coder[] = []

  constructor(levels: Levels) {
    this.levels = levels
  }

  take(coding: Coding): Coder {
    if (coding === "gzip") {
      const kept = this.kept.pop()
      if (kept !== undefined) return kept
    }
    return new Coder(streamOf(coding, this.levels[coding]), flagsOf[coding])
  }

  /** One whose body is complete, or not: what it has left of it is forgotten. */
  give(coding: Coding, coder: Coder): void {
    if (coding !== "gzip" || this.kept.length >= KEEP_MAX || coder.failure !== "") {
      coder.close()
      return
    }
    coder.reset()
    this.kept.push(coder)
  }
}

function streamOf(coding: Coding, level: number): CodingStream {
  return makeStream(coding, level) as unknown as CodingStream
}

function makeStream(coding: Coding, level: number) {
  if (coding === "gzip") return createGzip({ chunkSize, level })
  if (coding === "zstd")
    return createZstdCompress({ chunkSize, params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_windowLog]: WINDOW_LOG } })
  return createBrotliCompress({ chunkSize, params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: WINDOW_LOG } })
}
