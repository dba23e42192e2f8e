import { assert } from "../../base/index.ts"
import type { Downstream } from "../../http/index.ts"
import type { BodySource } from "../entry-reader.ts"
import { removeSlices } from "./remove-slices.ts"
import { endsWhatWasThere, isLeftOver, isSameRepresentation, type Representation, representationOf } from "./representation.ts"
import type { SliceFetch } from "./slice-fetch.ts"
import type { HeldSlice, SliceScope } from "./slice-scope.ts"
import { SliceSeek, type SliceTaker } from "./slice-seek.ts"

const NOTHING = new Uint8Array(0)

/**
 * The body of an answer that is made of slices: one behind the other, and the next one is asked for when half of this one has been read. Positions are those of the
 * whole. What is read at most holds: the slice that is read, the one before it until that has left, and the next.
 */
export class SliceRun implements BodySource, SliceTaker {
  readonly quiet = false
  readonly bodyLength: number
  failed = false
  private readonly scope: SliceScope
  private readonly of: Representation
  /** The last one that is wanted. */
  private readonly lastNumber: number
  private current: HeldSlice | null
  private next: HeldSlice | null = null
  private seek: SliceSeek | null = null
  /** Read to their end, and perhaps not quite on their way yet. */
  private spent: HeldSlice[] = []
  /** A piece of what comes behind them has been read. */
  private spentIsPast = false
  /** The slice that could not be had when it was asked for early. */
  private notAhead = -1
  /** The slice that was asked for a second time. */
  private triedAgain = -1
  /** What is waited for; null = a slice. */
  private stalled: BodySource | null = null
  private watcher: (() => void) | null = null
  private over = false
  private readonly grew = (): void => this.tell()

  constructor(scope: SliceScope, of: Representation, first: HeldSlice, lastOctet: number) {
    this.scope = scope
    this.of = of
    this.bodyLength = of.length
    this.current = first
    this.lastNumber = Math.floor(lastOctet / scope.sliceBytes)
  }

  get ended(): boolean {
    return this.failed
  }

  piece(at: number, max?: number): Uint8Array {
    const { sliceBytes } = this.scope
    const number = Math.floor(at / sliceBytes)
    this.stalled = null
    if (this.failed || !this.turnTo(number)) return NOTHING
    const offset = at - number * sliceBytes
    if (offset * 2 >= sliceBytes && number + 1 !== this.notAhead) this.lookAhead(number + 1)
    const { source } = this.current!
    const isOver = source.ended || source.failed
    const piece = source.piece(offset, max)
    if (piece.length > 0) {
      this.dropSpent()
      this.spentIsPast = this.spent.length > 0
    } else if (isOver) {
      this.tryAgain(number)
      if (this.next !== null) return this.piece(at, max)
    } else this.stalled = source
    return piece
  }

  /** What was read before the last piece has left: each is flushed by whoever reads. */
  private dropSpent(): void {
    if (!this.spentIsPast) return
    for (const slice of this.spent) slice.source.release()
    this.spent.length = 0
    this.spentIsPast = false
  }

  /** True = this slice can be read. */
  private turnTo(number: number): boolean {
    if (this.current?.number === number) return true
    this.retire()
    if (this.next === null) this.lookAhead(number)
    if (this.next === null) return false
    assert(this.next.number === number, "slices are read one behind the other")
    this.current = this.next
    this.next = null
    return true
  }

  private retire(): void {
    if (this.current === null) return
    this.dropSpent()
    this.spent.push(this.current)
    this.current = null
  }

  private lookAhead(number: number): void {
    if (number > this.lastNumber || this.next !== null || this.seek !== null || this.failed) return
    this.seek = new SliceSeek(this.scope, number, this)
    this.seek.begin()
  }

  /** A slice broke off, or could not be had: once more, from where its reader is. */
  private tryAgain(number: number): void {
    this.retire()
    // What was asked for early is for later: it is there when it is asked for again.
    this.seek?.cancel()
    this.seek = null
    this.next?.source.release()
    this.next = null
    if (this.triedAgain === number) this.fail()
    else {
      this.triedAgain = number
      this.lookAhead(number)
    }
  }

  private fail(): void {
    this.failed = true
    this.tell()
  }

  private tell(): void {
    const { watcher } = this
    this.watcher = null
    watcher?.()
  }

  // ---- what comes of a seek

  took(slice: HeldSlice): void {
    this.seek = null
    const its = representationOf(slice.stored)
    if (isSameRepresentation(its, this.of)) {
      this.next = slice
      if (this.current === null) this.tell()
      return
    }
    const { scope } = this
    slice.source.release()
    if (slice.fetch === null && isLeftOver(its, this.of) && this.triedAgain !== slice.number) {
      scope.refused = its
      void removeSlices(scope, its)
      this.triedAgain = slice.number
      this.lookAhead(slice.number)
      return
    }
    this.changed()
  }

  /** What has been sent is the beginning of something that is not there any more. */
  private changed(): void {
    void removeSlices(this.scope, this.of)
    this.fail()
  }

  otherCame(fetch: SliceFetch): Downstream | null {
    if (endsWhatWasThere(fetch.f.status)) this.changed()
    else this.missed()
    return null
  }

  missed(): void {
    const number = this.seek!.number
    this.seek = null
    // The slice before it is still read: it is asked for again when that is over.
    if (this.current !== null) this.notAhead = number
    else this.tryAgain(number)
  }

  othersFailed(): void {
    this.missed()
  }

  // ---- who reads

  watch(changed: () => void): void {
    this.watcher = changed
    this.stalled?.watch(this.grew)
  }

  unwatch(): void {
    this.watcher = null
    this.stalled?.unwatch(this.grew)
  }

  release(): void {
    if (this.over) return
    this.over = true
    this.failed = true
    this.seek?.cancel()
    for (const slice of this.spent) slice.source.release()
    this.spent.length = 0
    this.current?.source.release()
    this.next?.source.release()
  }
}
