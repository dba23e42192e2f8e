import { brotliCompress, constants, gzip, zstdCompress } from "node:zlib"

/** Content codings that are made (RFC 9110 section 8.4.1, RFC 7932, RFC 8878). */
export type Coding = "br" | "zstd" | "gzip"

/** Up to here more effort is worth it: some milliseconds once, off the thread. */
const SMALL_BYTES_MAX = 256 * 1024
/** A chunk of output at a time means one way to the other thread and back. */
const CHUNK_BYTES_MIN = 16 * 1024

/** Encodes a body on one of the runtime's own threads. null = it could not be done. `done` is called later, never at once. */
export function encodeBody(coding: Coding, body: Uint8Array, done: (encoded: Uint8Array | null) => void): void {
  const chunkSize = Math.max(CHUNK_BYTES_MIN, body.length >> 2)
  const ended = (error: Error | null, encoded: Uint8Array): void => done(error === null ? encoded : null)
  if (coding === "br") brotliCompress(body, { chunkSize, params: brotliParams(body.length) }, ended)
  else if (coding === "zstd") zstdCompress(body, { chunkSize, params: zstdParams(body.length) }, ended)
  else gzip(body, { chunkSize, level: 6 }, ended)
}

function brotliParams(bytes: number): Record<number, number> {
  return {
    [constants.BROTLI_PARAM_QUALITY]: bytes <= SMALL_BYTES_MAX ? 9 : 5,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
  }
}

/** Decoders on the web have a window of 8 MiB (RFC 9659 section 3). */
function zstdParams(bytes: number): Record<number, number> {
  return {
    [constants.ZSTD_c_compressionLevel]: bytes <= SMALL_BYTES_MAX ? 12 : 6,
    [constants.ZSTD_c_windowLog]: 23,
  }
}
