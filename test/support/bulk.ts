import { createHash, type Hash } from "node:crypto"
import { readFileSync } from "node:fs"
import type { Socket } from "node:net"
import { pause } from "./wait.ts"

// A prime length: a piece that is lost, doubled or out of its order shows at once.
const block = Buffer.from(Array.from({ length: 1_048_573 }, (_, at) => (at * 131 + (at >> 7) * 17 + (at >> 13)) & 255))

/** Octets `from` to `to` of an endless body that every test can make again. */
export function bulkOctets(from: number, to: number): Buffer {
  const start = from % block.length
  return block.subarray(start, Math.min(block.length, start + to - from))
}

/** SHA-256 of the first `length` octets of that body. */
export function bulkHash(length: number): string {
  const hash = createHash("sha256")
  for (let at = 0; at < length; ) {
    const piece = bulkOctets(at, length)
    hash.update(piece)
    at += piece.length
  }
  return hash.digest("hex")
}

/** Sends the body as fast as the other side takes it; `sent` says how far it is. Chunked when `chunk` is set. */
export class BulkSource {
  sent = 0
  private readonly socket: Socket
  private readonly length: number
  private readonly chunk: number

  constructor(socket: Socket, length: number, chunk = 0) {
    this.socket = socket
    this.length = length
    this.chunk = chunk
  }

  /** Settles when the last octet has been given to the kernel, or the connection is gone. */
  async run(): Promise<void> {
    const { socket } = this
    let gone = false
    socket.on("close", () => {
      gone = true
      socket.emit("drain")
    })
    while (this.sent < this.length && !gone) {
      const piece = bulkOctets(this.sent, Math.min(this.length, this.sent + (this.chunk || 262_144)))
      const framed = this.chunk === 0 ? piece : Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")])
      const room = socket.write(framed)
      this.sent += piece.length
      if (!room) await new Promise<void>(resolve => socket.once("drain", () => resolve()))
    }
    if (this.chunk !== 0 && !gone) socket.write("0\r\n\r\n")
  }
}

/** Takes a body; slowly when `bytesPerSecond` is set. Counts and hashes what comes. */
export class BulkSink {
  received = 0
  readonly startedAt = performance.now()
  private readonly hash: Hash = createHash("sha256")
  private readonly socket: Socket
  private timer: ReturnType<typeof setInterval> | null = null
  private rate: number
  private allowed = 0

  constructor(socket: Socket, bytesPerSecond = 0) {
    this.socket = socket
    this.rate = bytesPerSecond
    if (bytesPerSecond > 0) this.timer = setInterval(() => this.tick(), 10)
    socket.on("close", () => this.stop())
  }

  take(chunk: Buffer): void {
    this.received += chunk.length
    this.hash.update(chunk)
    if (this.rate > 0 && this.received > this.allowed) this.socket.pause()
  }

  private tick(): void {
    this.allowed += this.rate / 100
    if (this.received <= this.allowed) this.socket.resume()
  }

  /** Another speed from now on; 0 = as fast as it comes. */
  speed(bytesPerSecond: number): void {
    this.stop()
    this.rate = bytesPerSecond
    this.allowed = this.received
    if (bytesPerSecond > 0) this.timer = setInterval(() => this.tick(), 10)
    this.socket.resume()
  }

  /** Reads nothing more. */
  halt(): void {
    this.stop()
    this.socket.pause()
  }

  private stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  digest(): string {
    return this.hash.digest("hex")
  }
}

/** Resident octets of a process (proc(5)). */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) * 1024
}

/** Watches the resident memory of a process. */
export class MemoryWatch implements Disposable {
  peak = 0
  private readonly pid: number
  private readonly timer: ReturnType<typeof setInterval>

  constructor(pid: number) {
    this.pid = pid
    this.look()
    this.timer = setInterval(() => this.look(), 25)
  }

  look(): number {
    const now = residentBytes(this.pid)
    this.peak = Math.max(this.peak, now)
    return now
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer)
  }
}

/** The memory at rest: the lowest of a second's looks, since the collector runs when it likes. */
export async function residentAtRest(pid: number): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 20; i++) {
    lowest = Math.min(lowest, residentBytes(pid))
    await pause(50)
  }
  return lowest
}
