// HOT
import { assert, FAULT, type Fault } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import type { TunnelEnd, Upstream } from "../http/index.ts"

/** Octets that are handed to a client at once: what its connection does not take is copied. */
const PIECE_BYTES_MAX = 128 * 1024
/** The same where a connection says how much it takes. */
const PART_BYTES_MAX = 1024 * 1024
const NOTHING = new Uint8Array(0)

/** Where a reader's octets come from: an entry of a store, whole or growing. */
export interface BodySource {
  /** What can be read from `at` on, at most `max` octets, in one run that holds until the source is released; empty = nothing yet. */
  piece(at: number, max?: number): Uint8Array
  /** Octets of the whole body, -1 = not known yet. */
  readonly bodyLength: number
  /** It is over, for good or not: what is not there now never will be. */
  readonly ended: boolean
  readonly failed: boolean
  /** Its writer says when a client's connection is to be flushed; else every piece is. */
  readonly quiet: boolean
  watch(changed: () => void): void
  unwatch(changed: () => void): void
  release(): void
}

/** Reads a stored body, or one that is being stored, to one client: to its exchange it is an upstream. Octets `from` up to, not including, `to`; -1 = to the end. */
export class EntryReader implements Upstream {
  private readonly x: Exchange
  private readonly generation: number
  private source: BodySource | null
  private at: number
  private readonly to: number
  private paused = false
  private busy = false
  private watching = false
  private readonly changed: () => void

  constructor(x: Exchange, source: BodySource, from: number, to: number) {
    assert(from >= 0 && (to < 0 || to >= from), "a range of octets")
    this.x = x
    this.generation = x.generation
    this.source = source
    this.at = from
    this.to = to
    // allow(closure): one a body that is read piece by piece
    this.changed = () => this.sourceChanged()
  }

  /** The next octet that the client wants of the source. */
  get position(): number {
    return this.at
  }

  private sourceChanged(): void {
    this.watching = false
    if (!this.paused) this.read()
  }

  pauseBody(): void {
    this.paused = true
  }

  resumeBody(): void {
    this.paused = false
    this.read()
  }

  private read(): void {
    if (this.busy) return
    this.busy = true
    const { x } = this
    while (!this.paused && this.source !== null) {
      const { source } = this
      // First of all: what comes between a look that finds nothing and this one would be cut off.
      const { ended } = source
      const left = this.leftIn(source)
      const most = this.cuts(source) ? PART_BYTES_MAX : PIECE_BYTES_MAX
      const piece = left === 0 ? NOTHING : source.piece(this.at, left < 0 ? most : Math.min(left, most))
      if (piece.length > 0) {
        if (piece.length > PIECE_BYTES_MAX) this.sendPart(piece)
        else {
          this.at += piece.length
          x.onResponseBody(piece)
        }
        if (!source.quiet) this.sendOn()
      } else if (left === 0 || (left < 0 && ended && !source.failed)) this.finish()
      else if (ended || source.failed) this.fail(FAULT.truncated)
      else {
        this.watch(source)
        if (!source.quiet) this.sendOn()
        break
      }
    }
    this.busy = false
  }

  private cuts(source: BodySource): boolean {
    return !source.quiet && this.x.headSent && this.x.down!.sendPart !== undefined
  }

  private sendPart(piece: Uint8Array): void {
    const { x } = this
    const taken = x.down!.sendPart!(piece)
    this.at += taken
    x.responseBytes += taken
  }

  private sendOn(): void {
    const { x } = this
    if (this.source !== null && x.headSent && x.generation === this.generation && !x.down!.flush()) this.paused = true
  }

  /** Octets that are still owed, -1 = not known. */
  private leftIn(source: BodySource): number {
    const end = this.to >= 0 ? this.to : source.bodyLength
    return end < 0 ? -1 : end - this.at
  }

  private watch(source: BodySource): void {
    if (this.watching) return
    this.watching = true
    source.watch(this.changed)
  }

  private finish(): void {
    const source = this.takeSource()
    // What has not left yet is a view into the source: it is given back behind that.
    this.x.onResponseEnd("")
    source?.release()
  }

  private fail(fault: Fault): void {
    const source = this.takeSource()
    this.x.onUpFault(fault)
    source?.release()
  }

  private takeSource(): BodySource | null {
    const { source } = this
    this.source = null
    if (source !== null && this.watching) source.unwatch(this.changed)
    this.watching = false
    return source
  }

  abort(): void {
    this.takeSource()?.release()
  }

  sendBody(_chunk: Uint8Array): boolean {
    return true
  }

  sendEnd(_trailers: string): void {}

  flush(): boolean {
    return true
  }

  takeTunnel(): TunnelEnd {
    assert(false, "a stored response is no tunnel")
    return undefined as never
  }
}
