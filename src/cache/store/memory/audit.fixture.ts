import { ENTRY_COMPLETE } from "../contract.ts"
import {
  BLOCK,
  CLASS_BITS,
  CLASS_HEADS,
  CLASSES,
  CONTENT,
  CONTENT_BYTES,
  ENTRIES_LIVE,
  ENTRY_SHIFT,
  FILLER,
  FLAGS,
  GROUP_HASH,
  IN_MAIN,
  IN_SMALL,
  KEY_BLOCK,
  LIVE,
  NEXT,
  QUEUE_NEXT,
  QUEUES,
  SLOT_FREE,
  SLOTS_TOUCHED,
  STATE_BITS,
  UNITS,
  UNITS_FREE,
  UNITS_LARGE,
  USED,
} from "./layout.ts"
import { LARGE_UNITS, NO_UNIT } from "./space.ts"
import type { StoreParts } from "./store-parts.ts"

/** What is wrong with a store while nobody changes it, in words; empty = all is as it should be. */
export function audit(parts: StoreParts): string[] {
  const auditor = new Auditor(parts)
  auditor.units()
  auditor.chains()
  auditor.queues()
  auditor.rows()
  return auditor.problems
}

/** How many fills of a thread are under way. */
export function countFills(parts: StoreParts, thread: number): number {
  const { control, entries } = parts.memory
  let count = 0
  for (let slot = 1; slot <= control[SLOTS_TOUCHED]!; slot++) {
    const flags = entries[(slot << ENTRY_SHIFT) + FLAGS]!
    const isUnderWay = (flags & USED) !== 0 && (flags & STATE_BITS) < ENTRY_COMPLETE
    if (isUnderWay && entries[(slot << ENTRY_SHIFT) + FILLER] === thread + 1) count++
  }
  return count
}

class Auditor {
  readonly problems: string[] = []
  private readonly parts: StoreParts
  /** For each unit who has it: 0 = nobody, -1 = it is free, else a row. */
  private readonly owners: Int32Array

  constructor(parts: StoreParts) {
    this.parts = parts
    this.owners = new Int32Array(parts.memory.shared.units)
  }

  /** Every unit is in one free run, which no other touches, or in one extent of one entry. */
  units(): void {
    const { control, links, entries, counters } = this.parts.memory
    let free = 0
    let large = 0
    let marked = 0
    for (let own = 0; own < CLASSES; own++) {
      const head = control[CLASS_HEADS + own]!
      this.equal((control[CLASS_BITS + (own >>> 5)]! >>> (own & 31)) & 1, head === NO_UNIT ? 0 : 1, `bit of class ${own}`)
      for (let at = head; at !== NO_UNIT; at = links[at * 2]!) {
        const units = this.freeRun(at)
        free += units
        large += units >= LARGE_UNITS ? units : 0
        marked += units > 1 ? 2 : 1
      }
    }
    this.equal(control[UNITS_LARGE]!, large, "free units in long runs")
    this.equal(this.parts.memory.marks.filter(mark => mark !== 0).length, marked, "marks")
    this.equal(control[UNITS_FREE]!, free, "free units")
    let content = 0
    for (const slot of this.used()) {
      const base = slot << ENTRY_SHIFT
      const sum = this.ownChain(entries[base + BLOCK]!, slot) + this.ownChain(entries[base + KEY_BLOCK]!, slot)
      this.equal(entries[base + UNITS]!, sum, `units of row ${slot}`)
      content += entries[base + CONTENT]!
    }
    this.equal(counters[CONTENT_BYTES]!, content, "octets of content")
    const lost = this.owners.indexOf(0)
    if (lost !== -1) this.problems.push(`unit ${lost} belongs to nobody`)
  }

  private freeRun(at: number): number {
    const { links, marks, segmentMask } = this.parts.memory
    if (marks[at] === 1) return this.own(at, 1, -1) ? 1 : 0
    const units = links[at * 2 + 3]!
    this.equal(marks[at]!, 2, `mark of the free run ${at}`)
    this.equal(marks[at + units - 1]!, 3, `mark of the end of the free run ${at}`)
    this.equal(links[(at + units - 1) * 2]!, units, `units at the end of the free run ${at}`)
    this.equal(at >> Math.log2(segmentMask + 1), (at + units - 1) >> Math.log2(segmentMask + 1), `segment of the free run ${at}`)
    if (((at + units) & segmentMask) !== 0 && (marks[at + units] ?? 0) !== 0) this.problems.push(`free runs touch at ${at + units}`)
    return this.own(at, units, -1) ? units : 0
  }

  /** Every live entry is in its chain, once, and nothing else is in any. */
  chains(): void {
    const { buckets, entries, control } = this.parts.memory
    const mask = buckets.length / 2 - 1
    const seen = new Set<number>()
    for (let bucket = 0; bucket <= mask; bucket++) {
      for (let slot = buckets[bucket * 2]!; slot !== 0; slot = entries[(slot << ENTRY_SHIFT) + NEXT]!) {
        if (seen.has(slot)) return void this.problems.push(`row ${slot} is in two chains`)
        seen.add(slot)
        this.equal(entries[(slot << ENTRY_SHIFT) + GROUP_HASH]! & mask, bucket, `bucket of row ${slot}`)
        this.equal(entries[(slot << ENTRY_SHIFT) + FLAGS]! & (USED | LIVE), USED | LIVE, `flags of row ${slot} in a chain`)
      }
    }
    const live = this.used().filter(slot => (entries[(slot << ENTRY_SHIFT) + FLAGS]! & LIVE) !== 0)
    this.equal(seen.size, live.length, "entries in chains")
    this.equal(control[ENTRIES_LIVE]!, live.length, "live entries")
  }

  /** The queues have what says that it is in them, and the right sums. */
  queues(): void {
    const { control, entries } = this.parts.memory
    for (const [queue, flag] of [IN_SMALL, IN_MAIN].entries()) {
      const head = QUEUES + queue * 4
      let units = 0
      let count = 0
      let last = 0
      for (let slot = control[head]!; slot !== 0; slot = entries[(slot << ENTRY_SHIFT) + QUEUE_NEXT]!) {
        this.equal(entries[(slot << ENTRY_SHIFT) + FLAGS]! & (IN_SMALL | IN_MAIN | LIVE), flag | LIVE, `flags of row ${slot} in a queue`)
        units += entries[(slot << ENTRY_SHIFT) + UNITS]!
        last = slot
        if (++count > this.parts.memory.shared.entriesMax) return void this.problems.push("a queue is a ring")
      }
      this.equal(control[head + 1]!, last, "last of a queue")
      this.equal(control[head + 2]!, units, "units of a queue")
      this.equal(control[head + 3]!, count, "count of a queue")
      const flagged = this.used().filter(slot => (entries[(slot << ENTRY_SHIFT) + FLAGS]! & flag) !== 0)
      this.equal(flagged.length, count, "entries that say they are in a queue")
    }
  }

  /** A row is used or in the free list; one that is used is live or held. */
  rows(): void {
    const { control, entries } = this.parts.memory
    let free = 0
    for (let slot = control[SLOT_FREE]!; slot !== 0; slot = entries[(slot << ENTRY_SHIFT) + NEXT]!) {
      this.equal(entries[(slot << ENTRY_SHIFT) + FLAGS]!, 0, `flags of the free row ${slot}`)
      if (++free > control[SLOTS_TOUCHED]!) return void this.problems.push("the free rows are a ring")
    }
    const used = this.used()
    this.equal(free + used.length, control[SLOTS_TOUCHED]!, "rows")
    for (const slot of used) {
      const live = (entries[(slot << ENTRY_SHIFT) + FLAGS]! & LIVE) !== 0
      if (!live && !this.parts.pins.held(slot)) this.problems.push(`row ${slot} is dead and held by nobody`)
    }
  }

  private used(): number[] {
    const { control, entries } = this.parts.memory
    const slots: number[] = []
    for (let slot = 1; slot <= control[SLOTS_TOUCHED]!; slot++) if ((entries[(slot << ENTRY_SHIFT) + FLAGS]! & USED) !== 0) slots.push(slot)
    return slots
  }

  private ownChain(first: number, owner: number): number {
    const { links } = this.parts.memory
    let units = 0
    for (let at = first; at !== NO_UNIT; at = links[at * 2]!) {
      const length = links[at * 2 + 1]!
      if (length < 1 || !this.own(at, length, owner)) return units
      units += length
    }
    return units
  }

  private own(from: number, units: number, owner: number): boolean {
    for (let unit = from; unit < from + units; unit++) {
      if (this.owners[unit] !== 0) {
        this.problems.push(`unit ${unit} belongs to ${this.owners[unit]} and to ${owner}`)
        return false
      }
      this.owners[unit] = owner
    }
    return true
  }

  private equal(actual: number | boolean, expected: number | boolean, what: string): void {
    if (actual !== expected && this.problems.length < 20) this.problems.push(`${what}: ${actual}, not ${expected}`)
  }
}
