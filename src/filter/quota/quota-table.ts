import { KeyedTable, KIND_QUOTAS, type TableShape } from "../../base/index.ts"

// Words of an entry behind the table's own: number of the period; octets (64-bit float); requests; minutes; the last minute that counted; length of the key; the key.
const PERIOD = 1
const BYTES = 2
const REQUESTS = 4
const MINUTES = 5
const LAST_MINUTE = 6
const KEY_LENGTH = 7
const KEY_AT = 8
const VALUE_WORDS = 48
const KEY_OCTETS_MAX = (VALUE_WORDS - KEY_AT) * 4

/** What a key has used in one period. */
export interface Usage {
  readonly key: string
  /** Number of the period, see ZoneTime. */
  readonly period: number
  readonly bytes: number
  readonly requests: number
  readonly minutes: number
}

/** The memory of a quota. Other periods are other numbers, and count for themselves. */
export function quotaZone({ name, per, timeZone }: { readonly name: string; readonly per: string; readonly timeZone: string | null }): string {
  return `quotas/${name}/${per}/${timeZone ?? ""}`
}

export function quotaShape(keysMax: number): TableShape {
  return { keysMax, valueWords: VALUE_WORDS, kind: KIND_QUOTAS }
}

/** What is there and what is asked for. null = no limit. */
export interface Allowance {
  readonly bytes: number | null
  readonly requests: number | null
  readonly minutes: number | null
}

/** What keys have used, in memory that all threads share. Each call holds the lock of the key's bucket: what is compared is what is counted. */
export class QuotaTable {
  readonly table: KeyedTable
  // what the key has, of the last call
  bytes = 0
  requests = 0
  minutes = 0
  private readonly octets: Uint8Array

  constructor(memory: SharedArrayBuffer, keysMax: number) {
    this.table = new KeyedTable(memory, quotaShape(keysMax))
    this.octets = new Uint8Array(memory)
  }

  /** Counts a request that comes now; false = something is used up, and nothing was counted. A minute that has begun may be used to its end. */
  take(key: string, period: number, minute: number, allowed: Allowance): boolean {
    const base = this.enter(key, period)
    const { words } = this.table
    this.read(base)
    const isOver = this.isOver(base, minute, allowed)
    if (!isOver) {
      words[base + REQUESTS] = this.requests + 1
      this.useMinute(base, minute)
      this.read(base)
    }
    this.table.leave()
    return !isOver
  }

  /** Counts octets that went; true = something is used up. */
  add(key: string, period: number, minute: number, bytes: number, allowed: Allowance): boolean {
    const base = this.enter(key, period)
    const isOver = this.isOver(base, minute, allowed)
    this.table.floats[(base + BYTES) >> 1]! += bytes
    if (!isOver) this.useMinute(base, minute)
    this.read(base)
    this.table.leave()
    return isOver || (allowed.bytes !== null && this.bytes >= allowed.bytes)
  }

  /** What a key has used, all 0 when it is not known. */
  look(key: string, period: number): void {
    const base = this.table.find(key)
    if (base === -1 || this.table.words[base + PERIOD] !== period) {
      this.bytes = 0
      this.requests = 0
      this.minutes = 0
    } else this.read(base)
    this.table.leave()
  }

  /** All that is known of this period. */
  list(period: number): Usage[] {
    const out: Usage[] = []
    this.table.visit({
      visit: base => {
        this.read(base)
        const { words } = this.table
        if (words[base + PERIOD] !== period) return
        const { bytes, requests, minutes } = this
        out.push({ key: this.keyAt(base), period, bytes, requests, minutes })
      },
    })
    return out.sort((a, b) => b.bytes - a.bytes || b.minutes - a.minutes || b.requests - a.requests)
  }

  /** Adds what was used before a restart. What has come since then stays. */
  restore({ key, period, bytes, requests, minutes }: Usage): void {
    const base = this.enter(key, period)
    const { words, floats } = this.table
    floats[(base + BYTES) >> 1]! += bytes
    words[base + REQUESTS]! += requests
    words[base + MINUTES]! += minutes
    this.table.leave()
  }

  /** The key begins anew; false = it had used nothing. */
  reset(key: string): boolean {
    const base = this.table.find(key)
    if (base !== -1) this.table.drop()
    this.table.leave()
    return base !== -1
  }

  private enter(key: string, period: number): number {
    const base = this.table.enter(key)
    const { words, floats } = this.table
    if (this.table.isNew) this.putKey(base, key)
    if (this.table.isNew || words[base + PERIOD] !== period) {
      words[base + PERIOD] = period
      floats[(base + BYTES) >> 1] = 0
      words[base + REQUESTS] = 0
      words[base + MINUTES] = 0
      words[base + LAST_MINUTE] = 0
    }
    return base
  }

  private read(base: number): void {
    const { words, floats } = this.table
    this.bytes = floats[(base + BYTES) >> 1]!
    this.requests = words[base + REQUESTS]!
    this.minutes = words[base + MINUTES]!
  }

  private isOver(base: number, minute: number, { bytes, requests, minutes }: Allowance): boolean {
    const { words, floats } = this.table
    if (bytes !== null && floats[(base + BYTES) >> 1]! >= bytes) return true
    if (requests !== null && words[base + REQUESTS]! >= requests) return true
    return minutes !== null && words[base + MINUTES]! >= minutes && words[base + LAST_MINUTE] !== minute
  }

  private useMinute(base: number, minute: number): void {
    const { words } = this.table
    if (words[base + LAST_MINUTE] === minute) return
    words[base + LAST_MINUTE] = minute
    words[base + MINUTES]!++
  }

  private putKey(base: number, key: string): void {
    const octets = Buffer.from(key, "utf8")
    const kept =
      octets.length > KEY_OCTETS_MAX ? Buffer.from(octets.toString("utf8", 0, KEY_OCTETS_MAX - 6).replace(/�+$/, "") + "…", "utf8") : octets
    this.octets.set(kept, (base + KEY_AT) * 4)
    this.table.words[base + KEY_LENGTH] = kept.length
  }

  private keyAt(base: number): string {
    const from = (base + KEY_AT) * 4
    return Buffer.from(this.octets.slice(from, from + this.table.words[base + KEY_LENGTH]!)).toString("utf8")
  }
}
