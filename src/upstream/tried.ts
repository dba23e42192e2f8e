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
