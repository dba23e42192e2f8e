import { mix32 } from "../../base/index.ts"
import { IdQueue, Links } from "./id-queue.ts"

const ABSENT = 0
const WINDOW = 1
const PROBATION = 2
const PROTECTED = 3

const WINDOW_SHARE = 0.01
const PROTECTED_SHARE = 0.8

/**
 * W-TinyLFU by octets (Einziger, Friedman and Manes, 2017): a small LRU window, and behind it a segmented LRU that lets in only what is asked more often than all
 * that it would push out together (the aggregated victims of Einziger and others, "Lightweight Robust Size Aware Cache Management", 2022).
 */
export class WTinyLfu {
  private readonly window: IdQueue
  private readonly probation: IdQueue
  private readonly protection: IdQueue
  private readonly where: Uint8Array
  private readonly sketch: Sketch
  private readonly sizes: Float64Array
  private readonly windowMax: number
  private readonly mainMax: number
  private readonly entryBytesMax: number

  /** `entries`: how many the cache holds, about; it says how long the sketch remembers. */
  constructor(shape: { readonly capacity: number; readonly entryBytesMax: number; readonly entries: number }, sizes: Float64Array) {
    const links = new Links(sizes.length)
    this.window = new IdQueue(links)
    this.probation = new IdQueue(links)
    this.protection = new IdQueue(links)
    this.where = new Uint8Array(sizes.length)
    this.sketch = new Sketch(shape.entries)
    this.sizes = sizes
    this.windowMax = shape.capacity * WINDOW_SHARE
    this.mainMax = shape.capacity - this.windowMax
    this.entryBytesMax = shape.entryBytesMax
  }

  get bytes(): number {
    return this.window.bytes + this.probation.bytes + this.protection.bytes
  }

  request(id: number): boolean {
    this.sketch.note(id)
    const where = this.where[id]!
    if (where !== ABSENT) {
      this.leave(id)
      this.enter(where === PROBATION ? PROTECTED : where, id)
      while (this.protection.bytes > this.mainMax * PROTECTED_SHARE) this.demote()
      return true
    }
    const bytes = this.sizes[id]!
    if (bytes > this.entryBytesMax) return false
    if (bytes > this.windowMax) {
      this.contest(id)
      return false
    }
    this.enter(WINDOW, id)
    while (this.window.bytes > this.windowMax) {
      const candidate = this.window.first()
      this.leave(candidate)
      this.contest(candidate)
    }
    return false
  }

  private demote(): void {
    const id = this.protection.first()
    this.leave(id)
    this.enter(PROBATION, id)
  }

  /** Lets `id` into the main part if it is asked more than everything that has to go for it: the oldest on probation, then the oldest that are protected. */
  private contest(id: number): void {
    const own = this.sketch.estimate(id)
    const victims: number[] = []
    let missing = this.probation.bytes + this.protection.bytes + this.sizes[id]! - this.mainMax
    let theirs = 0
    for (let victim = this.oldest(); missing > 0; victim = this.after(victim)) {
      theirs += this.sketch.estimate(victim)
      if (theirs >= own) return
      victims.push(victim)
      missing -= this.sizes[victim]!
    }
    for (const victim of victims) this.leave(victim)
    this.enter(PROBATION, id)
  }

  private oldest(): number {
    return this.probation.length > 0 ? this.probation.first() : this.protection.first()
  }

  private after(id: number): number {
    const next = this.queueOf(this.where[id]!).after(id)
    return next < 0 && this.where[id] === PROBATION ? this.protection.first() : next
  }

  private queueOf(where: number): IdQueue {
    return where === WINDOW ? this.window : where === PROBATION ? this.probation : this.protection
  }

  private enter(where: number, id: number): void {
    this.queueOf(where).push(id, this.sizes[id]!)
    this.where[id] = where
  }

  private leave(id: number): void {
    this.queueOf(this.where[id]!).remove(id, this.sizes[id]!)
    this.where[id] = ABSENT
  }
}

const ROWS = 4
const COUNT_MAX = 15

/** How often objects were asked lately: a count-min sketch of four rows, halved after ten times as many requests as the cache has entries. */
class Sketch {
  private readonly width: number
  private readonly counts: Uint8Array
  private readonly requestsMax: number
  private requests = 0

  constructor(entries: number) {
    this.width = 2 ** Math.ceil(Math.log2(Math.max(64, entries * 4)))
    this.counts = new Uint8Array(this.width * ROWS)
    this.requestsMax = Math.max(640, entries * 10)
  }

  note(id: number): void {
    for (let row = 0; row < ROWS; row++) {
      const place = this.place(id, row)
      if (this.counts[place]! < COUNT_MAX) this.counts[place]!++
    }
    if (++this.requests < this.requestsMax) return
    this.requests = this.requestsMax / 2
    for (let place = 0; place < this.counts.length; place++) this.counts[place]! >>>= 1
  }

  estimate(id: number): number {
    let least = COUNT_MAX
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.counts[this.place(id, row)]!)
    return least
  }

  private place(id: number, row: number): number {
    return row * this.width + (mix32(Math.imul(id, 2 * row + 3) + row * 0x9e3779b9) & (this.width - 1))
  }
}
