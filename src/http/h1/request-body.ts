// HOT
import { CHUNKS_BAD, CHUNKS_DONE, type ChunkSink, ChunkDecoder } from "./chunked.ts"
import { cleanTrailers } from "./trailers.ts"

export const BODY_MORE = 0
export const BODY_WHOLE = 1
export const BODY_BAD = 2

const TRAILER_BYTES_MAX = 16 * 1024
/** The first seconds of an upload say little about its rate. */
const RATE_GRACE_MS = 10_000

/** Reads the bodies of one connection's requests, one after the other. Made with the first body. */
export class RequestBody {
  private chunks: ChunkDecoder | null = null
  private chunked = false
  private remaining = 0
  private startedAt = 0
  private pausedMs = 0
  private pausedAt = 0
  /** Octets that have come, chunk framing included. */
  bytes = 0

  begin(chunked: boolean, length: number, now: number): void {
    this.chunked = chunked
    this.remaining = length
    this.bytes = 0
    this.pausedMs = 0
    this.startedAt = now
    if (!chunked) return
    if (this.chunks === null) this.chunks = new ChunkDecoder(TRAILER_BYTES_MAX)
    else this.chunks.reset()
  }

  /** Hands the data in buffer[at…] to the sink; returns the index behind what belongs to the body. */
  push(buffer: Buffer, at: number, sink: ChunkSink): number {
    this.bytes += buffer.length - at
    if (this.chunked) return this.chunks!.push(buffer, at, sink)
    const take = Math.min(this.remaining, buffer.length - at)
    if (take === 0) return at
    this.remaining -= take
    sink.onChunkData(at === 0 && take === buffer.length ? buffer : buffer.subarray(at, at + take))
    return at + take
  }

  get state(): number {
    if (!this.chunked) return this.remaining === 0 ? BODY_WHOLE : BODY_MORE
    const { state } = this.chunks!
    return state === CHUNKS_DONE ? BODY_WHOLE : state === CHUNKS_BAD ? BODY_BAD : BODY_MORE
  }

  /** Trailer lines that may travel on, or null when the section is malformed. */
  trailers(): string | null {
    return this.chunked ? cleanTrailers(this.chunks!.trailers) : ""
  }

  /** We hold the client back; that time does not count against it. */
  pause(now: number): void {
    this.pausedAt = now
  }

  resume(now: number): void {
    this.pausedMs += now - this.pausedAt
  }

  /** A body that drips keeps every idle timer content; its average rate gives it away. `rateMin` in octets a second, 0 = any. */
  tooSlow(rateMin: number, now: number): boolean {
    if (rateMin === 0) return false
    const elapsed = now - this.startedAt - this.pausedMs
    return elapsed > RATE_GRACE_MS && (this.bytes * 1000) / elapsed < rateMin
  }
}
