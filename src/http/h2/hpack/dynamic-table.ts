// HOT
/**
 * The dynamic table of RFC 7541 section 2.3.2 as a ring: nothing is there before the first insertion.
 *
 *   ring:  | e4 | e5 | e6 |    |    |    | e2 | e3 |     number n lies at n & mask
 *                   ^newest: number inserted - 1        the oldest is number inserted - count
 */
import { ENTRY_OVERHEAD } from "./entry.ts"

const FIRST_PLACES = 16
const none: null[] = []

export class DynamicTable<T extends { readonly size: number }> {
  /** Entries that are there now. */
  count = 0
  /** Entries that ever came: the number of the next one. */
  inserted = 0
  /** Sum of their sizes (RFC 7541 section 4.1). */
  bytes = 0
  bytesMax: number
  private ring: (T | null)[] = none

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** The entry that came `age` insertions before the newest, or null. */
  get(age: number): T | null {
    return age < this.count ? this.ring[(this.inserted - 1 - age) & (this.ring.length - 1)]! : null
  }

  /** Puts an entry in front; older ones make room. One that is larger than the table empties it and is not kept (section 4.4): false. */
  insert(entry: T): boolean {
    this.evict(this.bytesMax - entry.size)
    if (entry.size > this.bytesMax) return false
    if (this.count === this.ring.length) this.grow()
    this.ring[this.inserted & (this.ring.length - 1)] = entry
    this.inserted++
    this.count++
    this.bytes += entry.size
    return true
  }

  resize(bytesMax: number): void {
    this.bytesMax = bytesMax
    this.evict(bytesMax)
  }

  /** The number of the oldest entry that is there. */
  oldest(): number {
    return this.inserted - this.count
  }

  private evict(bytesMax: number): void {
    const mask = this.ring.length - 1
    while (this.bytes > bytesMax && this.count > 0) {
      const place = (this.inserted - this.count) & mask
      const entry = this.ring[place]!
      this.bytes -= entry.size
      this.ring[place] = null
      this.count--
      this.evicted(entry)
    }
  }

  /** For those who keep more than the ring. */
  protected evicted(_entry: T): void {}

  private grow(): void {
    const places = this.ring.length === 0 ? Math.min(FIRST_PLACES, placesMax(this.bytesMax)) : this.ring.length * 2
    const ring: (T | null)[] = new Array(places).fill(null)
    for (let number = this.oldest(); number < this.inserted; number++) ring[number & (places - 1)] = this.ring[number & (this.ring.length - 1)]!
    this.ring = ring
  }
}

/** A power of two that holds as many entries as the table can. */
function placesMax(bytesMax: number): number {
  let places = 1
  while (places < bytesMax / ENTRY_OVERHEAD) places *= 2
  return places
}
