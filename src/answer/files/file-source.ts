// HOT
import { closeSync, read } from "node:fs"
import { FAULT } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import type { TunnelEnd, Upstream } from "../../http/index.ts"

/** One run of octets of the body: text of our own, then octets of the file. */
export interface BodyRun {
  readonly text: string
  readonly first: number
  /** Octets of the file; 0 = text only. */
  readonly length: number
}

const PIECE_BYTES = 128 * 1024
const FREE_MAX = 32
const free: Buffer[] = []

/**
 * Reads a file for one exchange, in the place of its upstream: a piece at a time, the next one when the client has taken the last. What is held does not grow
 * with the file.
 */
export class FileSource implements Upstream {
  private readonly x: Exchange
  private readonly generation: number
  private readonly fd: number
  private readonly runs: readonly BodyRun[]
  private run = 0
  /** Octets of this run's file part that were read. */
  private done = 0
  private textSent = false
  private paused = true
  private reading = false
  private over = false
  private buffer: Buffer | null = null

  /** Takes over the descriptor. */
  constructor(x: Exchange, fd: number, runs: readonly BodyRun[]) {
    this.x = x
    this.generation = x.generation
    this.fd = fd
    this.runs = runs
  }

  pauseBody(): void {
    this.paused = true
  }

  resumeBody(): void {
    this.paused = false
    this.next()
  }

  /** Sends what needs no reading, and asks for the next piece. */
  private next(): void {
    while (!this.paused && !this.reading && !this.over) {
      const run = this.runs[this.run]
      if (run === undefined) {
        this.end()
        return
      }
      if (!this.textSent) {
        this.textSent = true
        if (run.text !== "") this.send(Buffer.from(run.text, "latin1"))
      } else if (this.done < run.length) this.ask(run)
      else {
        this.run++
        this.done = 0
        this.textSent = false
      }
    }
  }

  private ask(run: BodyRun): void {
    this.reading = true
    this.buffer ??= free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES)
    const left = run.length - this.done
    // allow(closure): one a piece of 128 KB
    read(this.fd, this.buffer, 0, left < PIECE_BYTES ? left : PIECE_BYTES, run.first + this.done, (error, count) => this.came(error, count))
  }

  private came(error: Error | null, count: number): void {
    this.reading = false
    if (this.over) {
      this.close()
      return
    }
    if (error !== null || count === 0) {
      // It has become shorter, or cannot be read any more: the length has been said.
      this.over = true
      this.close()
      if (this.x.generation === this.generation) this.x.onUpFault(FAULT.fileCut)
      return
    }
    this.done += count
    this.send(this.buffer!.subarray(0, count))
    this.next()
  }

  /** The octets are lent: whoever cannot send them now has copied them when `flush` returns. */
  private send(chunk: Buffer): void {
    this.x.onResponseBody(chunk)
    if (this.over) return
    if (!this.x.down!.flush()) this.paused = true
  }

  private end(): void {
    this.over = true
    this.close()
    this.x.onResponseEnd("")
  }

  abort(): void {
    if (this.over) return
    this.over = true
    if (!this.reading) this.close()
  }

  private close(): void {
    const { buffer } = this
    this.buffer = null
    if (buffer !== null && free.length < FREE_MAX) free.push(buffer)
    closeSync(this.fd)
  }

  sendBody(_chunk: Uint8Array): boolean {
    return true
  }

  sendEnd(_trailers: string): void {}

  flush(): boolean {
    return true
  }

  takeTunnel(): TunnelEnd {
    throw new Error("a file is no tunnel") // allow(throw): never called: its body is none
  }
}
