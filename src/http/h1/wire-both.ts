// HOT
import { log } from "../../base/index.ts"
import { BROKEN, readLent } from "../../net/index.ts"
import { inNextTurn, type TurnTaker } from "./next-turn.ts"
import { WireOut } from "./wire-out.ts"

/** A read of this many octets is part of a large body: more of it may be there already. */
export const BULK_BYTES = 64 * 1024
/** Octets that one connection may have in one turn before others are served: a tenth of a millisecond or two. */
const TURN_BYTES_MAX = 256 * 1024
/** Somebody in this thread uses lent octets. There is one piece of memory: whoever else reads now would write over them. */
let lending = false

/**
 * Both halves of a connection. Reading is held back as long as `readPaused`, and large bodies are read ahead of the events:
 *
 *     the other side has room ──> resumeReading ──> lent reads, a turn's worth at a time ──> until it is full again, or nothing is there ──> events
 *
 * So a slow reader's source never costs a buffer of the runtime, nor two calls to hold the events back and let them come again; and a fast one is
 * served in small portions, between which everybody else has a turn: events would bring five MB of it at once.
 */
export abstract class WireBoth extends WireOut implements TurnTaker {
  protected readPaused = false
  /** What the runtime has been told; lags behind while we read ourselves. */
  private wirePaused = false
  private pulling = false
  /** We go on in the next turn; events would only come in between. */
  private due = false

  /** Octets can be used that are lent for one call. */
  protected abstract takesLent(): boolean
  /** Octets that are lent until this returns. */
  protected abstract onLent(chunk: Buffer): void
  /** The connection broke while we read ourselves. */
  protected abstract onBroken(): void

  /** The octets of this turn are lent. */
  protected get lent(): boolean {
    return this.pulling
  }

  protected pauseReading(): void {
    this.readPaused = true
    if (!this.pulling) this.tellWire()
  }

  protected resumeReading(): void {
    if (!this.readPaused) return
    this.readPaused = false
    this.pull()
  }

  /** After an event that brought `count` octets: takes what else is there when they were many. */
  protected readOn(count: number): void {
    if (count >= BULK_BYTES && !this.due) this.pull()
  }

  onTurn(): void {
    this.due = false
    if (this.closed) return
    try {
      this.pull()
    } catch (error) {
      // As from an event: what a handler throws ends its own connection and no other.
      log.error("http", "reading failed", { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      this.wire.terminate()
    }
  }

  private goOnLater(): void {
    if (this.due) return
    this.due = true
    inNextTurn(this)
  }

  private pull(): void {
    if (this.pulling) return
    if (lending) {
      if (this.takesLent()) this.goOnLater()
      this.tellWire()
      return
    }
    lending = true
    this.pulling = true
    try {
      this.readLentOctets()
    } finally {
      this.pulling = false
      lending = false
      this.tellWire()
    }
  }

  private readLentOctets(): void {
    let left = TURN_BYTES_MAX
    while (left > 0 && !this.readPaused && !this.closed && this.takesLent()) {
      const count = this.readSome()
      if (count === 0) return
      left -= count
    }
    if (left <= 0 && !this.readPaused) this.goOnLater()
  }

  /** Takes what is there, up to a bound. Answers the number of octets; 0 = none now, the end, or the connection broke. */
  protected readSome(): number {
    const chunk = readLent(this.wire)
    if (chunk === null) return 0
    if (chunk === BROKEN) {
      this.onBroken()
      return 0
    }
    const count = chunk.length
    this.onLent(chunk)
    return count
  }

  private tellWire(): void {
    const hold = this.readPaused || this.due
    if (this.closed || hold === this.wirePaused) return
    this.wirePaused = hold
    if (hold) this.wire.pause()
    else this.wire.resume()
  }
}
