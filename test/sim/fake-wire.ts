import type { Wire, WireHandler } from "../../src/net/index.ts"

const nobody: WireHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }

/**
 * A connection without a kernel. The test is the network and the far end: it delivers octets, takes what was written, and decides how much fits.
 * Behaves as the runtime's sockets do: `terminate` and `end` call `onClose` before they return, nothing is delivered while paused, a write after
 * the end takes -1.
 */
export class FakeWire implements Wire {
  data: WireHandler = nobody
  readonly remoteAddress = "192.0.2.1"
  readonly remotePort = 40000
  readonly localAddress = "192.0.2.2"
  readonly localPort = 80
  /** Octets that the kernel still takes; what is beyond waits for `take`. */
  room: number
  paused = false
  /** Our side has closed its writing half, or all of it. */
  finished = false
  /** Closed by either side; `onClose` was called. */
  closed = false
  /** We cut it. */
  terminated = false
  closeCalls = 0
  /** The far end has reset the connection, and nobody has been told yet: a write finds out. */
  severed = false
  private foundOut = false
  private out = ""
  private drainDue = false

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room
  }

  /** Everything that was written, as latin1. */
  get sent(): string {
    return this.out
  }

  write(data: string | Uint8Array, byteOffset = 0, byteLength?: number): number {
    if (this.severed) this.foundOut = true
    if (this.closed || this.finished || this.severed) return -1
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const piece = bytes.subarray(byteOffset, byteLength === undefined ? bytes.length : byteOffset + byteLength)
    const taken = Math.min(piece.length, this.room)
    this.room -= taken
    this.out += piece.latin1Slice(0, taken)
    if (taken < piece.length) this.drainDue = true
    return taken
  }

  end(): void {
    this.finished = true
    this.close(null)
  }

  shutdown(): void {
    this.finished = true
  }

  terminate(): void {
    if (!this.closed) this.terminated = true
    this.close(null)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  private close(error: Error | null): void {
    if (this.closed) return
    this.closed = true
    this.closeCalls++
    this.data.onClose(this, error)
  }

  // ---- the far end

  /** True when octets can be delivered now. */
  get listening(): boolean {
    return !this.closed && !this.paused && !this.severed
  }

  deliver(text: string): void {
    if (!this.listening) throw new Error("octets for a connection that does not read")
    this.data.onData(this, Buffer.from(text, "latin1"))
  }

  /** The far end closes its writing half. */
  fin(): void {
    if (!this.listening) throw new Error("a FIN for a connection that does not read")
    this.data.onEnd(this)
  }

  /** The runtime reports a severed connection: what it was, or a clean end when a write has met it before. */
  tellSevered(asEnd: boolean): void {
    if (this.closed) return
    if (asEnd && this.foundOut && !this.paused) this.data.onEnd(this)
    else this.reset()
  }

  /** The far end, or the network, cuts it. Comes through even while paused. */
  reset(): void {
    this.close(new Error("ECONNRESET"))
  }

  /** The kernel takes `count` octets more. */
  take(count: number): void {
    if (this.closed || this.finished || this.severed) return
    this.room += count
    if (!this.drainDue || this.room === 0) return
    this.drainDue = false
    this.data.onDrain(this)
  }
}
