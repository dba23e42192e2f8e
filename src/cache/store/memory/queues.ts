// HOT
import { ENTRY_SHIFT, FLAGS, FREQUENCY, IN_MAIN, IN_SMALL, QUEUE_NEXT, QUEUE_PREVIOUS, QUEUES, type StoreMemory, UNITS } from "./layout.ts"

export type Queue = 0 | 1
export const SMALL = 0
export const MAIN = 1

const QUEUE_WORDS = 4
const FIRST = 0
const LAST = 1
const SUM = 2
const COUNT = 3

/** How far the uses of an entry are counted. */
export const FREQUENCY_MAX = 3

/** The two queues of S3-FIFO (Yang and others, SOSP 2023), counted in units: new entries enter the small one, those used there the main one. Under the lock. */
export class Queues {
  private readonly control: Int32Array
  private readonly entries: Int32Array

  constructor(memory: StoreMemory) {
    this.control = memory.control
    this.entries = memory.entries
  }

  /** The oldest of a queue, 0 = it is empty. */
  last(queue: Queue): number {
    return this.control[QUEUES + queue * QUEUE_WORDS + LAST]!
  }

  units(queue: Queue): number {
    return this.control[QUEUES + queue * QUEUE_WORDS + SUM]!
  }

  /** -1 for an entry of under half the mean size, 1 for one of over twice that, else 0. */
  sizeClass(slot: number): number {
    const { control } = this
    const count = control[QUEUES + COUNT]! + control[QUEUES + QUEUE_WORDS + COUNT]!
    const share = (this.entries[(slot << ENTRY_SHIFT) + UNITS]! * count) / (this.units(SMALL) + this.units(MAIN))
    return share < 0.5 ? -1 : share > 2 ? 1 : 0
  }

  /** Puts an entry that is in none in front of a queue; its uses count anew. */
  push(slot: number, queue: Queue, frequency: number): void {
    const { control, entries } = this
    const base = slot << ENTRY_SHIFT
    const head = QUEUES + queue * QUEUE_WORDS
    const first = control[head + FIRST]!
    entries[base + QUEUE_NEXT] = first
    entries[base + QUEUE_PREVIOUS] = 0
    if (first !== 0) entries[(first << ENTRY_SHIFT) + QUEUE_PREVIOUS] = slot
    else control[head + LAST] = slot
    control[head + FIRST] = slot
    control[head + SUM]! += entries[base + UNITS]!
    control[head + COUNT]!++
    entries[base + FREQUENCY] = frequency
    Atomics.or(entries, base + FLAGS, queue === SMALL ? IN_SMALL : IN_MAIN)
  }

  /** Takes an entry out of the queue that it is in, if any. */
  remove(slot: number): void {
    const { control, entries } = this
    const base = slot << ENTRY_SHIFT
    const flags = entries[base + FLAGS]!
    if ((flags & (IN_SMALL | IN_MAIN)) === 0) return
    const head = QUEUES + ((flags & IN_SMALL) !== 0 ? SMALL : MAIN) * QUEUE_WORDS
    const next = entries[base + QUEUE_NEXT]!
    const previous = entries[base + QUEUE_PREVIOUS]!
    if (next !== 0) entries[(next << ENTRY_SHIFT) + QUEUE_PREVIOUS] = previous
    else control[head + LAST] = previous
    if (previous !== 0) entries[(previous << ENTRY_SHIFT) + QUEUE_NEXT] = next
    else control[head + FIRST] = next
    control[head + SUM]! -= entries[base + UNITS]!
    control[head + COUNT]!--
    Atomics.and(entries, base + FLAGS, ~(IN_SMALL | IN_MAIN))
  }

  /** An entry has more units now, or fewer. */
  resize(slot: number, by: number): void {
    const base = slot << ENTRY_SHIFT
    const flags = this.entries[base + FLAGS]!
    this.entries[base + UNITS]! += by
    if ((flags & IN_SMALL) !== 0) this.control[QUEUES + SMALL * QUEUE_WORDS + SUM]! += by
    else if ((flags & IN_MAIN) !== 0) this.control[QUEUES + MAIN * QUEUE_WORDS + SUM]! += by
  }
}
