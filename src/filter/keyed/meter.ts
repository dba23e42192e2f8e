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
const RING_AT = 2
/** Numbers of slots are kept by their low bits. */
const SLOT_MASK = 0x3fff_ffff

/**
 * At most `amount` in any window of `perMs`, give or take what fell into one tenth of it: the window slides over ten slots, and of the one that is half
 * out of it its share counts. Word 1: the newest slot's number; words 2 to 12: a ring of counts.
 */
export class SlidingWindow implements Meter {
  remaining = 0
  retryMs = 0
  resetMs = 0
  private readonly words: Int32Array
  private readonly amount: number
  private readonly slotMs: number

  constructor(table: KeyedTable, amount: number, perMs: number) {
    this.words = table.words
    this.amount = amount
    this.slotMs = perMs / SLOTS
  }

  take(base: number, now: number, amount: number): number {
    const used = this.usedAt(base, now)
    const over = used + amount - this.amount
    if (over > EPSILON) {
      this.remaining = Math.max(0, Math.floor(this.amount - used + EPSILON))
      this.retryMs = this.untilGone(base, now, over)
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
    const { words } = this
    const at = now / this.slotMs
    const newest = this.moveTo(base, Math.floor(at) % (SLOT_MASK + 1))
    let sum = 0
    for (let i = 0; i < SLOTS; i++) sum += words[base + RING_AT + ((newest - i + SLOT_MASK + 1) % RING)]! >>> 0
    const oldest = words[base + RING_AT + ((newest - SLOTS + SLOT_MASK + 1) % RING)]! >>> 0
    return sum + oldest * (1 - (at - Math.floor(at)))
  }

  /** Counts in the newest slot. `usedAt` comes first. A slot holds up to 2^32 - 1. */
  add(base: number, amount: number): void {
    const at = base + RING_AT + ((this.words[base + 1]! + SLOT_MASK + 1) % RING)
    const sum = (this.words[at]! >>> 0) + amount
    this.words[at] = sum > 0xffff_ffff ? -1 : sum | 0
  }

  giveBack(base: number, amount: number): void {
    const at = base + RING_AT + ((this.words[base + 1]! + SLOT_MASK + 1) % RING)
    const left = (this.words[at]! >>> 0) - amount
    this.words[at] = left > 0 ? left | 0 : 0
  }

  /** Empties the slots between the newest one and `slot`, which is the newest then; answers it. */
  private moveTo(base: number, slot: number): number {
    const { words } = this
    const passed = (slot - words[base + 1]!) & SLOT_MASK
    if (passed === 0) return slot
    // Another thread's clock is a little ahead: its slot is as good. Far ahead: the clock was set back, and what was counted counts from now on.
    if (passed === SLOT_MASK) return words[base + 1]!
    words[base + 1] = slot
    if (passed > SLOT_MASK / 2) return slot
    const empty = passed < RING ? passed : RING
    for (let i = 0; i < empty; i++) words[base + RING_AT + ((slot - i + SLOT_MASK + 1) % RING)] = 0
    return slot
  }

  /** When so much will have left the window. */
  private untilGone(base: number, now: number, over: number): number {
    const { words, slotMs } = this
    const newest = words[base + 1]!
    const rest = 1 - (now / slotMs - Math.floor(now / slotMs))
    let left = over
    let ms = 0
    for (let i = SLOTS; i >= 0; i--) {
      const share = i === SLOTS ? rest : 1
      const leaving = (words[base + RING_AT + ((newest - i + SLOT_MASK + 1) % RING)]! >>> 0) * share
      if (leaving >= left && leaving > 0) return ms + (left / leaving) * share * slotMs
      left -= leaving
      ms += share * slotMs
    }
    return ms
  }
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
    const passed = ((number & SLOT_MASK) - words[base + 1]!) & SLOT_MASK
    if (passed !== 0 && passed !== SLOT_MASK) {
      words[base + 1] = number & SLOT_MASK
      words[base + 2] = 0
    }
    const used = words[base + 2]!
    this.resetMs = (number + (passed === SLOT_MASK ? 2 : 1)) * this.perMs - now
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
