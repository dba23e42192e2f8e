// HOT
import type { Tried as TriedContract } from "../plugin/index.ts"

/** Indexes of the peers that a request has tried. The first 32 are bits; clusters with more fall back to a short array. Reused by `reset`. */
export class Tried implements TriedContract {
  count = 0
  private bits = 0
  private readonly beyond: number[] = []

  has(index: number): boolean {
    if (this.count === 0) return false
    return index < 32 ? (this.bits & (1 << index)) !== 0 : this.beyond.includes(index)
  }

  add(index: number): void {
    if (this.has(index)) return
    this.count++
    if (index < 32) this.bits |= 1 << index
    else this.beyond.push(index)
  }

  reset(): void {
    if (this.count === 0) return
    this.count = 0
    this.bits = 0
    this.beyond.length = 0
  }
}

/** A set of tried peers as a list sees it that begins at `offset` of the numbering: backups are numbered after the primaries. One object serves many requests. */
export class TriedTail implements TriedContract {
  private whole: TriedContract | null = null
  private offset = 0

  /** Looks at `whole` from now on. */
  over(whole: TriedContract, offset: number): TriedTail {
    this.whole = whole
    this.offset = offset
    return this
  }

  has(index: number): boolean {
    return this.whole?.has(index + this.offset) === true
  }

  /** Those before the offset are counted too: 0 means that nothing was tried. */
  get count(): number {
    return this.whole === null ? 0 : this.whole.count
  }
}
