import { hashString } from "../../base/index.ts"

// Two hashes of 32 bits: that two URLs of a log share both is less likely than a fault of the machine.
const LOW_SEED = 0x5eed1
const HIGH_SEED = 0x5eed2
const EVERYTHING = 2 ** 32
const REQUESTS_MAX = 255

/**
 * The URLs of a log, each with a number from 0 on. At most `objectsMax` of them at a time: when there are more, only those whose hash is below a limit stay, and
 * only such ones are taken from then on. The limit halves each time, so that what stays is a fair sample of all URLs, each with all of its requests
 * (spatially hashed sampling, as in SHARDS: Waldspurger and others, FAST 2015).
 */
export class UrlTable {
  /** Octets of each, by number. */
  readonly sizes: Float64Array
  count = 0
  private limit = EVERYTHING
  private readonly requests: Uint8Array
  private readonly lows: Uint32Array
  private readonly highs: Uint32Array
  /** Number + 1 of the URL at each place of the hash table, 0 = free. */
  private readonly places: Int32Array
  private readonly mask: number

  constructor(objectsMax: number) {
    const places = 2 ** Math.ceil(Math.log2(objectsMax * 2))
    this.sizes = new Float64Array(objectsMax)
    this.requests = new Uint8Array(objectsMax)
    this.lows = new Uint32Array(objectsMax)
    this.highs = new Uint32Array(objectsMax)
    this.places = new Int32Array(places)
    this.mask = places - 1
  }

  /** The share of all URLs that is followed, 1 = all. */
  get share(): number {
    return this.limit / EVERYTHING
  }

  get isFull(): boolean {
    return this.count === this.sizes.length
  }

  /** Octets of all that are followed. */
  get bytes(): number {
    let sum = 0
    for (let id = 0; id < this.count; id++) sum += this.sizes[id]!
    return sum
  }

  /** How many of those that are followed were asked for once. */
  get askedOnce(): number {
    let count = 0
    for (let id = 0; id < this.count; id++) if (this.requests[id] === 1) count++
    return count
  }

  /** Whether this URL belongs to the sample. */
  has(high: number): boolean {
    return high < this.limit
  }

  /** The number of the URL with these hashes, -1 = it is new. */
  find(low: number, high: number): number {
    for (let place = low & this.mask; ; place = (place + 1) & this.mask) {
      const id = this.places[place]! - 1
      if (id < 0 || (this.lows[id] === low && this.highs[id] === high)) return id
    }
  }

  /** A number for a new URL. The table must not be full. */
  add(low: number, high: number, bytes: number): number {
    const id = this.count++
    this.lows[id] = low
    this.highs[id] = high
    this.sizes[id] = bytes
    this.requests[id] = 0
    this.put(id)
    return id
  }

  noteRequest(id: number): void {
    if (this.requests[id]! < REQUESTS_MAX) this.requests[id]!++
  }

  /** Halves the sample. Answers the new number of each URL by its old one, -1 = it is not followed any more. */
  halve(): Int32Array {
    this.limit /= 2
    const renamed = new Int32Array(this.sizes.length).fill(-1)
    const before = this.count
    this.count = 0
    this.places.fill(0)
    for (let id = 0; id < before; id++) if (this.has(this.highs[id]!)) renamed[id] = this.move(id)
    return renamed
  }

  private move(id: number): number {
    const requests = this.requests[id]!
    const to = this.add(this.lows[id]!, this.highs[id]!, this.sizes[id]!)
    this.requests[to] = requests
    return to
  }

  private put(id: number): void {
    let place = this.lows[id]! & this.mask
    while (this.places[place] !== 0) place = (place + 1) & this.mask
    this.places[place] = id + 1
  }
}

export function lowHash(url: string): number {
  return hashString(url, LOW_SEED)
}

export function highHash(url: string): number {
  return hashString(url, HIGH_SEED)
}
