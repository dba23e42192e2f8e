// HOT
import { assert, Timer, type TimerOwner } from "../../base/index.ts"
import type { Time, Wire } from "../../net/index.ts"
import { Backlog } from "../h1/backlog.ts"
import { inNextTurn, type TurnTaker } from "../h1/next-turn.ts"
import { END_STREAM, FRAME_HEAD } from "./frames.ts"

const OUT_BYTES = 64 * 1024
const FREE_MAX = 32
const free: Buffer[] = []

/**
 * The writing half of a connection: the frames of all its streams collect in one buffer, which leaves in one write at the end of the turn, or when
 * it is full. What the socket does not take waits in `backlog`, and `blocked` tells the sources to pause. An idle connection has no buffer.
 *
 *     out:  [head|payload][head|payload][head|payload]......
 *                                       ^ last            ^ at
 */
export abstract class FrameOut implements TimerOwner, TurnTaker {
  readonly wire: Wire
  protected readonly time: Time
  protected readonly timer: Timer
  protected out: Buffer | null = null
  protected at = 0
  /** Where the last frame in `out` begins, -1 = there is none that may still be changed. */
  private last = -1
  private lastStream = 0
  private due = false
  private backlog: Backlog | null = null
  private waiting = false
  protected closed = false
  /** A write met the peer's reset. */
  protected broken = false
  /** Monotonic ms when the socket last took something. */
  protected tookAt = 0

  constructor(wire: Wire, time: Time) {
    this.wire = wire
    this.time = time
    this.timer = new Timer(this)
  }

  abstract onTimer(): void
  /** All that was waiting has left. */
  protected abstract onWritable(): void

  get blocked(): boolean {
    return this.waiting
  }

  /** Makes room for `bytes` octets in one piece at `at`. */
  protected room(bytes: number): Buffer {
    assert(bytes <= OUT_BYTES, "a frame fits the buffer")
    if (this.out !== null && this.at + bytes > OUT_BYTES) this.leave()
    if (this.out === null) this.out = free.pop() ?? Buffer.allocUnsafeSlow(OUT_BYTES)
    return this.out
  }

  /** Writes a frame's head; the caller has made room and adds `length` octets at the index that comes back. */
  protected head(length: number, type: number, flags: number, stream: number): number {
    const out = this.out!
    const at = this.at
    out[at] = length >>> 16
    out[at + 1] = (length >>> 8) & 255
    out[at + 2] = length & 255
    out[at + 3] = type
    out[at + 4] = flags
    out[at + 5] = (stream >>> 24) & 127
    out[at + 6] = (stream >>> 16) & 255
    out[at + 7] = (stream >>> 8) & 255
    out[at + 8] = stream & 255
    this.last = at
    this.lastStream = stream
    this.at = at + FRAME_HEAD + length
    return at + FRAME_HEAD
  }

  /** A frame whose payload is one 32-bit number. */
  protected word(type: number, stream: number, value: number): void {
    this.room(FRAME_HEAD + 4)
    const at = this.head(4, type, 0, stream)
    this.out!.writeUInt32BE(value >>> 0, at)
    this.last = -1
  }

  /** The last frame is not one that END_STREAM may be set on. */
  protected seal(): void {
    this.last = -1
  }

  /** Sets END_STREAM on the stream's last frame when that has not left yet. */
  protected endLast(stream: number): boolean {
    if (this.last < 0 || this.lastStream !== stream) return false
    this.out![this.last + 4]! |= END_STREAM
    this.last = -1
    return true
  }

  /** What has collected leaves at the end of this turn of the event loop. */
  flushSoon(): void {
    if (this.due || this.at === 0 || this.closed) return
    this.due = true
    inNextTurn(this)
  }

  onTurn(): void {
    this.due = false
    if (!this.closed) this.flushNow()
  }

  protected flushNow(): void {
    if (this.out === null) return
    this.leave()
    if (free.length < FREE_MAX) free.push(this.out)
    this.out = null
  }

  private leave(): void {
    const count = this.at
    this.at = 0
    this.last = -1
    if (count === 0 || this.closed || this.broken) return
    let taken = 0
    if (!this.waiting) {
      taken = this.wire.write(this.out!, 0, count)
      if (taken === count) {
        this.tookAt = this.time.clock.now()
        return
      }
      if (taken < 0) {
        this.writeFailed()
        return
      }
    }
    if (this.backlog === null) this.backlog = new Backlog()
    this.backlog.add(this.out!.subarray(taken, count), 0)
    if (!this.waiting) {
      this.waiting = true
      this.tookAt = this.time.clock.now()
    }
  }

  /** We are in the middle of somebody's turn: the timer's next one ends the connection. */
  protected writeFailed(): void {
    if (this.broken) return
    this.broken = true
    this.time.wheel.schedule(this.timer, this.time.clock.now())
  }

  onDrain(_wire: Wire): void {
    if (!this.waiting || this.closed) return
    const backlog = this.backlog!
    for (let next = backlog.next; next !== null; next = backlog.next) {
      const taken = this.wire.write(next)
      if (taken < 0) {
        this.writeFailed()
        return
      }
      if (!this.waiting || this.closed) return
      if (taken > 0) this.tookAt = this.time.clock.now()
      backlog.take(taken)
      if (taken < next.length) return
    }
    this.waiting = false
    this.onWritable()
    this.flushSoon()
  }

  /** Forgets what has not left. */
  protected dropOutput(): void {
    this.at = 0
    this.last = -1
    if (this.out !== null && free.length < FREE_MAX) free.push(this.out)
    this.out = null
    if (this.waiting) this.backlog!.clear()
    this.waiting = false
  }
}
