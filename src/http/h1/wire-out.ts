// HOT
import { assert, Timer, type TimerOwner } from "../../base/index.ts"
import type { Time, Wire } from "../../net/index.ts"
import { Backlog } from "./backlog.ts"

const SCRATCH_BYTES = 64 * 1024
/** Of a large chunk: what waits for the socket beside what it took, so that it has something to send while its source is asked for more. */
const PART_REST_BYTES = 64 * 1024
// One for the thread: a piece is built and handed to the kernel in one call, so nobody else can be in the middle of it.
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

/**
 * The writing half of a connection. A turn's output collects as
 *
 *     lead (text) + held (one chunk, by reference) + tail (text)
 *
 * and leaves in one write; what the socket does not take waits as a copy in `backlog`, and `blocked` tells the source to pause.
 * Text is latin1: one character an octet.
 */
export abstract class WireOut implements TimerOwner {
  readonly wire: Wire
  protected readonly time: Time
  protected readonly timer: Timer
  private lead = ""
  private held: Uint8Array | null = null
  private tail = ""
  /** What the socket did not take. Made when first needed. */
  private backlog: Backlog | null = null
  private waiting = false
  protected closed = false
  /** A write met the peer's reset. The runtime may then report a clean end, or nothing for long. */
  protected broken = false

  constructor(wire: Wire, time: Time) {
    this.wire = wire
    this.time = time
    this.timer = new Timer(this)
  }

  abstract onTimer(): void

  /** One deadline for the connection, `ms` from now; 0 = none. */
  protected arm(ms: number): void {
    if (this.broken) return
    if (ms > 0) this.time.wheel.schedule(this.timer, this.time.clock.now() + ms)
    else this.time.wheel.rest(this.timer)
  }

  protected disarm(): void {
    if (!this.broken) this.time.wheel.rest(this.timer)
  }

  /** The connection is over: the wheel forgets it. */
  protected endTimer(): void {
    this.time.wheel.cancel(this.timer)
  }

  /** All that was waiting has left. */
  protected abstract onWritable(): void

  get blocked(): boolean {
    return this.waiting
  }

  /** Adds text behind what is collected. */
  protected putText(text: string): void {
    if (this.held === null) this.lead += text
    else this.tail += text
  }

  /** Adds a chunk; the caller gives it away. */
  protected putChunk(chunk: Uint8Array): void {
    assert(chunk.length > 0, "chunks are not empty")
    if (this.held !== null) this.flush()
    this.held = chunk
  }

  /** Hands a large chunk to the socket behind what is collected, and says how much of it is gone: what the socket took and a bounded rest that waits here. */
  protected putPart(chunk: Uint8Array): number {
    this.flush()
    if (this.closed) return chunk.length
    const taken = this.waiting ? 0 : this.wire.write(chunk)
    if (taken < 0) {
      this.writeFailed()
      return chunk.length
    }
    if (taken === chunk.length) return taken
    const rest = Math.min(chunk.length - taken, PART_REST_BYTES)
    this.keep(chunk.subarray(taken, taken + rest), 0)
    return taken + rest
  }

  /** Hands what is collected to the socket; false = not all of it has left, and `onWritable` follows. Lent memory can be used again. */
  flush(): boolean {
    const lead = this.lead
    const held = this.held
    if (held === null) {
      if (lead !== "") {
        this.lead = ""
        this.writeText(lead)
      }
      return !this.waiting
    }
    const tail = this.tail
    this.lead = ""
    this.held = null
    this.tail = ""
    const total = lead.length + held.length + tail.length
    if (lead.length === 0 && tail.length === 0) this.writeBytes(held)
    else if (total <= SCRATCH_BYTES && !this.waiting) {
      let at = scratch.latin1Write(lead, 0)
      scratch.set(held, at)
      at += held.length
      if (tail.length > 0) scratch.latin1Write(tail, at)
      this.writeScratch(total)
    } else {
      if (lead.length > 0) this.writeText(lead)
      this.writeBytes(held)
      // A chunk's CRLF alone may as well go with what comes next: nobody waits for it. The end of a body may not.
      if (tail === "\r\n") this.lead = tail
      else if (tail.length > 0) this.writeText(tail)
    }
    return !this.waiting
  }

  private writeText(text: string): void {
    const length = text.length
    if (this.waiting || length > SCRATCH_BYTES) {
      this.writeBytes(Buffer.from(text, "latin1"))
      return
    }
    scratch.latin1Write(text, 0)
    this.writeScratch(length)
  }

  private writeScratch(length: number): void {
    if (this.closed) return
    const taken = this.wire.write(scratch, 0, length)
    if (taken === length) return
    if (taken < 0) {
      this.writeFailed()
      return
    }
    this.keep(scratch.subarray(taken, length), 0)
  }

  private writeBytes(bytes: Uint8Array): void {
    if (this.closed) return
    if (this.waiting) {
      this.keep(bytes, 0)
      return
    }
    const taken = this.wire.write(bytes)
    if (taken < 0) this.writeFailed()
    else if (taken < bytes.length) this.keep(bytes, taken)
  }

  private keep(bytes: Uint8Array, from: number): void {
    if (this.backlog === null) this.backlog = new Backlog()
    this.backlog.add(bytes, from)
    this.waiting = true
  }

  /** We are in the middle of somebody's turn: the timer's next one ends the connection. */
  protected writeFailed(): void {
    if (this.broken) return
    this.broken = true
    this.time.wheel.schedule(this.timer, this.time.clock.now())
  }

  onDrain(_wire: Wire): void {
    // The runtime also says so when the peer closes its half, and then nobody waits.
    if (!this.waiting) return
    const backlog = this.backlog!
    for (let next = backlog.next; next !== null; next = backlog.next) {
      const taken = this.wire.write(next)
      if (taken < 0) {
        this.writeFailed()
        return
      }
      if (!this.waiting) return
      backlog.take(taken)
      if (taken < next.length) {
        this.onProgress()
        return
      }
    }
    this.waiting = false
    this.onProgress()
    this.onWritable()
  }

  /** Some octets left. */
  protected abstract onProgress(): void

  /** What has not left, for the next owner of the connection. Call after `flush`. */
  protected takeUnsent(): Uint8Array | null {
    if (!this.waiting) return null
    this.waiting = false
    return this.backlog!.takeAll()
  }

  /** Forgets what has not left. */
  protected dropOutput(): void {
    this.lead = ""
    this.held = null
    this.tail = ""
    if (this.waiting) this.backlog!.clear()
    this.waiting = false
  }
}
