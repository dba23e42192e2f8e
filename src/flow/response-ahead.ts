// HOT
import { assert } from "../base/index.ts"
import type { Downstream } from "../http/index.ts"
import { ChangedDownstream } from "./changed-downstream.ts"
import { DownstreamWrapper } from "./downstream-wrapper.ts"
import { resume } from "./engine.ts"
import type { Exchange } from "./exchange.ts"
import { NEXT } from "./verdict.ts"

/** Octets that are given to a connection before it is asked whether it takes more. */
const FLUSH_BYTES = 128 * 1024

/** What responses that wait for slow clients may have in memory together. */
export interface AheadRoom {
  bytes: number
  readonly bytesMax: number
}

/**
 * Takes a response from its peer faster than its client does, up to `bytesMax` octets and as long as there is room: the peer is done early. For the
 * response phase, before the head has left. The caller drops what it gets when the exchange is over.
 */
export function takeAhead(x: Exchange, bytesMax: number, room: AheadRoom): AheadDownstream {
  const { pump, down } = x
  assert(!x.headSent && down !== null && pump.ahead === null, "once, before the head leaves")
  if (pump.plainDown === null) pump.plainDown = down
  let ahead: AheadDownstream
  // What waits for the client is what it will get: a body that is changed waits behind its change.
  if (down instanceof ChangedDownstream) {
    ahead = new AheadDownstream(x, down.inner, bytesMax, room)
    down.inner = ahead
  } else {
    ahead = new AheadDownstream(x, down!, bytesMax, room)
    x.down = ahead
  }
  pump.ahead = ahead
  return ahead
}

/** The client's side of an exchange whose peer does not wait for the client. */
export class AheadDownstream extends DownstreamWrapper {
  private readonly x: Exchange
  private readonly bytesMax: number
  private readonly room: AheadRoom
  private queue: Uint8Array[] = []
  private first = 0
  private bytes = 0
  /** The client has enough for now. */
  private blocked = false
  private trailers = ""
  /** All of the response is here, and not all of it has left. */
  endWaits = false

  constructor(x: Exchange, inner: Downstream, bytesMax: number, room: AheadRoom) {
    super(inner)
    this.x = x
    this.bytesMax = bytesMax
    this.room = room
  }

  sendBody(chunk: Uint8Array): boolean {
    if (!this.blocked) {
      if (!this.inner.sendBody(chunk)) this.blocked = true
      return true
    }
    // A copy: the chunk is lent.
    this.queue.push(Buffer.from(chunk))
    this.bytes += chunk.length
    this.room.bytes += chunk.length
    return this.hasRoom
  }

  private get hasRoom(): boolean {
    return this.bytes < this.bytesMax && this.room.bytes < this.room.bytesMax
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  override sendEnd(trailers: string): void {
    if (this.bytes === 0) {
      this.inner.sendEnd(trailers)
      return
    }
    this.endWaits = true
    this.trailers = trailers
  }

  flush(): boolean {
    if (!this.blocked && !this.inner.flush()) this.blocked = true
    return !this.blocked || this.hasRoom
  }

  /** The client takes more. True = the source may go on. */
  drained(): boolean {
    const { inner, queue } = this
    this.blocked = false
    let given = 0
    while (this.first < queue.length && !this.blocked) {
      const chunk = queue[this.first++]!
      this.free(chunk.length)
      given += chunk.length
      if (!inner.sendBody(chunk) || given >= FLUSH_BYTES) {
        given = 0
        this.blocked = !inner.flush()
      }
    }
    if (this.first < queue.length) {
      if (this.first > 64) this.forgetSent()
      return this.hasRoom
    }
    this.queue = []
    this.first = 0
    if (this.endWaits) {
      this.finish()
      return false
    }
    if (!this.blocked) this.blocked = !inner.flush()
    return true
  }

  private forgetSent(): void {
    this.queue = this.queue.slice(this.first)
    this.first = 0
  }

  private free(bytes: number): void {
    this.bytes -= bytes
    this.room.bytes -= bytes
  }

  private finish(): void {
    this.endWaits = false
    this.inner.sendEnd(this.trailers)
    resume(this.x, NEXT)
  }

  /** The exchange is over, whatever has become of it. */
  drop(): void {
    this.free(this.bytes)
    this.queue = []
    this.first = 0
  }
}
