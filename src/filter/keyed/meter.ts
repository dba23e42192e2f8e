// HOT
import type { KeyedTable } from "../../base/index.ts"

/** Nothing was taken: it would be too much. */
export const OVER = -1

/**
 * Says whether an amount may go, by what the words of a key's entry say, and notes there that it went. To be called between the table's `enter` and `leave`.
 * The numbers below tell of the last `take`.
 */
export interface Meter {
  /** What is still there. */
  readonly remaining: number
  /** Milliseconds until the same would be let through, 0 when it was. */
  readonly retryMs: number
  /** Milliseconds until all is there again, if nothing more is taken. */
  readonly resetMs: number
  /** 0 = taken; more = taken, to be used after so many milliseconds; OVER. `now` is the table's time. */
  take(base: number, now: number, amount: number): number
  /** Undoes a `take`. */
  giveBack(base: number, amount: number): void
}

/** Threads' clocks may be apart by this much; what lies further ahead was written before the clock was set back. */
const SKEW_MS = 1000
const AHEAD_MS_MAX = 600_000
/** What sums of fractions may be off. */
const EPSILON = 1e-3

export interface BucketRate {
  /** So much in `perMs`. */
  readonly amount: number
  readonly perMs: number
  /** What a full bucket holds. */
  readonly capacity: number
  /** Longest wait of what comes too soon; 0 = it is refused. */
  readonly delayMs: number
}

/**
 * A bucket that holds `capacity` and gets `amount` more in `perMs`, written down as the one time at which it will be full again (the generic cell rate
 * algorithm of ITU-T I.371). Word 2 and 3: that time. What finds it empty may be told to wait up to `delayMs`.
 */
export class TokenBucket implements Meter {
  remaining = 0
  retryMs = 0
  resetMs = 0
  private readonly floats: Float64Array
  private readonly intervalMs: number
  private readonly spanMs: number
  private readonly delayMs: number

  constructor(table: KeyedTable, { amount, perMs, capacity, delayMs }: BucketRate) {
    this.floats = table.floats
    this.intervalMs = perMs / amount
    this.spanMs = capacity * this.intervalMs
    this.delayMs = delayMs
  }

  take(base: number, now: number, amount: number): number {
    const at = (base >> 1) + 1
    const ahead = this.aheadAt(at, now)
    const need = ahead + amount * this.intervalMs
    const wait = need - this.spanMs
    if (wait > this.delayMs + EPSILON) {
      this.tell(ahead)
      this.retryMs = wait - this.delayMs
      return OVER
    }
    this.floats[at] = now + need
    this.tell(need)
    return wait > EPSILON ? wait : 0
  }

  /** Takes in any case and answers how many milliseconds ahead of its rate the key is then, 0 = it is not. */
  charge(base: number, now: number, amount: number): number {
    const at = (base >> 1) + 1
    // Not `aheadAt`: many who share a key may be far ahead together. A clock that was set back costs this much at most.
    const ahead = Math.min(this.floats[at]! - now, AHEAD_MS_MAX)
    const need = (ahead > 0 ? ahead : 0) + amount * this.intervalMs
    this.floats[at] = now + need
    return need > this.spanMs ? need - this.spanMs : 0
  }

  giveBack(base: number, amount: number): void {
    const at = (base >> 1) + 1
    this.floats[at] = this.floats[at]! - amount * this.intervalMs
  }

  private aheadAt(at: number, now: number): number {
    const ahead = this.floats[at]! - now
    return ahead < 0 || ahead > this.spanMs + this.delayMs + SKEW_MS ? 0 : ahead
  }

  private tell(ahead: number): void {
    const left = Math.floor((this.spanMs - ahead + EPSILON) / this.intervalMs)
    this.remaining = left > 0 ? left : 0
    this.retryMs = 0
    this.resetMs = ahead
  }
}

/** Parts of the window that are counted each for itself. */
const SLOTS = 10
const RING = SLOTS + 1
const RING_AT = 4
const SLOT_MAX = 0x3fff_ffff

/**
 * At most `amount` in any window of `perMs`, give or take what fell into one tenth of it: the window slides over ten slots, and of the one that is half
 * out of it its share counts. Slots begin with the first request after a rest, so that from there on each period lets just `amount` through.
 * Word 1: the newest slot's number; 2 and 3: when slot 0 began; 4 to 14: a ring of counts.
 */
export class SlidingWindow implements Meter {
  remaining = 0
  retryMs = 0
  resetMs = 0
  private readonly words: Int32Array
  private readonly floats: Float64Array
  private readonly amount: number
  private readonly slotMs: number
  /** How much of the newest slot has passed. */
  private part = 0

  constructor(table: KeyedTable, amount: number, perMs: number) {
    this.words = table.words
    this.floats = table.floats
    this.amount = amount
    this.slotMs = perMs / SLOTS
  }

  take(base: number, now: number, amount: number): number {
    const used = this.usedAt(base, now)
    const over = used + amount - this.amount
    if (over > EPSILON) {
      this.remaining = Math.max(0, Math.floor(this.amount - used + EPSILON))
      this.retryMs = this.untilGone(base, over)
      this.resetMs = this.retryMs
      return OVER
    }
    this.add(base, amount)
    this.remaining = Math.floor(this.amount - used - amount + EPSILON)
    this.retryMs = 0
    this.resetMs = this.slotMs * SLOTS
    return 0
  }

  /** What is counted in the window that ends now. The ring has moved on when this returns. */
  usedAt(base: number, now: number): number {
    const newest = this.moveOn(base, now)
    let sum = 0
    for (let age = 0; age < SLOTS; age++) sum += this.words[cellOf(base, newest, age)]! >>> 0
    return sum + (this.words[cellOf(base, newest, SLOTS)]! >>> 0) * (1 - this.part)
  }

  /** Counts in the newest slot. `usedAt` comes first. A slot holds up to 2^32 - 1. */
  add(base: number, amount: number): void {
    const at = cellOf(base, this.words[base + 1]!, 0)
    const sum = (this.words[at]! >>> 0) + amount
    this.words[at] = sum > 0xffff_ffff ? -1 : sum | 0
  }

  giveBack(base: number, amount: number): void {
    const at = cellOf(base, this.words[base + 1]!, 0)
    const left = (this.words[at]! >>> 0) - amount
    this.words[at] = left > 0 ? left | 0 : 0
  }

  /** Empties the slots that have begun since the newest one, and answers which is the newest now. */
  private moveOn(base: number, now: number): number {
    const { words, floats } = this
    const originAt = (base >> 1) + 1
    const newest = words[base + 1]!
    const position = (now - floats[originAt]!) / this.slotMs
    const slot = Math.floor(position)
    this.part = position - slot
    if (slot === newest) return slot
    // Nothing of before is in the window; or the numbers come to their end.
    if (slot - newest >= RING || slot > SLOT_MAX) return this.begin(base, now)
    if (slot < newest) return this.wentBack(base, now, newest)
    for (let number = newest + 1; number <= slot; number++) words[cellOf(base, number, 0)] = 0
    words[base + 1] = slot
    return slot
  }

  private begin(base: number, now: number): number {
    this.words.fill(0, base + RING_AT, base + RING_AT + RING)
    this.words[base + 1] = 0
    this.floats[(base >> 1) + 1] = now
    this.part = 0
    return 0
  }

  /** Another thread's clock is a little ahead: its slot is as good. Far ahead: the clock was set back, and what was counted counts from now on. */
  private wentBack(base: number, now: number, newest: number): number {
    const originAt = (base >> 1) + 1
    const begun = this.floats[originAt]! + newest * this.slotMs
    if (begun - now > SKEW_MS) this.floats[originAt] = now - newest * this.slotMs
    this.part = 0
    return newest
  }

  /** When so much will have left the window. */
  private untilGone(base: number, over: number): number {
    const newest = this.words[base + 1]!
    let left = over
    let ms = 0
    for (let age = SLOTS; age >= 0; age--) {
      const share = age === SLOTS ? 1 - this.part : 1
      const leaving = (this.words[cellOf(base, newest, age)]! >>> 0) * share
      if (leaving >= left && leaving > 0) return ms + (left / leaving) * share * this.slotMs
      left -= leaving
      ms += share * this.slotMs
    }
    return ms
  }
}

/** Word of the count of the slot that is `age` slots older than `newest`. */
function cellOf(base: number, newest: number, age: number): number {
  return base + RING_AT + ((newest - age + RING) % RING)
}

/** At most `amount` in each window of `perMs`, counted from 1970: simple to understand, and twice as much around the border of two. Word 1: its number; word 2: the count. */
export class FixedWindow implements Meter {
  remaining = 0
  retryMs = 0
  resetMs = 0
  private readonly words: Int32Array
  private readonly amount: number
  private readonly perMs: number

  constructor(table: KeyedTable, amount: number, perMs: number) {
    this.words = table.words
    this.amount = amount
    this.perMs = perMs
  }

  take(base: number, now: number, amount: number): number {
    const { words } = this
    const number = Math.floor(now / this.perMs)
    // Of large numbers the low bits are kept.
    const passed = ((number % (SLOT_MAX + 1)) - words[base + 1]!) & SLOT_MAX
    if (passed !== 0 && passed !== SLOT_MAX) {
      words[base + 1] = number % (SLOT_MAX + 1)
      words[base + 2] = 0
    }
    const used = words[base + 2]!
    this.resetMs = (number + (passed === SLOT_MAX ? 2 : 1)) * this.perMs - now
    if (used + amount > this.amount) {
      this.remaining = Math.max(0, this.amount - used)
      this.retryMs = this.resetMs
      return OVER
    }
    words[base + 2] = used + amount
    this.remaining = this.amount - used - amount
    this.retryMs = 0
    return 0
  }

  giveBack(base: number, amount: number): void {
    const left = this.words[base + 2]! - amount
    this.words[base + 2] = left > 0 ? left : 0
  }
}
