// HOT
import { assert } from "../../../base/index.ts"
import { CLASS_BITS, CLASS_HEADS, CLASSES, type StoreMemory, UNITS_FREE, UNITS_LARGE } from "./layout.ts"

/** No unit. */
export const NO_UNIT = -1
/** Units of a run that is not small: 32 KB. */
export const LARGE_UNITS = 128
/** Runs of a class that are looked at for one that is long enough. */
const LOOKS_MAX = 8
const BIT_WORDS = Math.ceil(CLASSES / 32)

// What `marks` says of a unit: it is no end of a free run, it is one, or an end of one.
const NO_END = 0
const SINGLE = 1
const FIRST = 2
const LAST = 3

/**
 * The units of the store: runs of any length, allocated where they fit best and joined with their free neighbours when they come back ("two-level segregated
 * fit", Masmano and others, ECRTS 2004). Free runs of about one length are in a list. No run goes over the end of a segment. All under the lock.
 *
 *   links of a free run's first unit:      next and previous free run of that class
 *   links of its second unit:              -, units of the run
 *   links of its last unit:                units of the run
 *   links of an extent's first unit:       next extent of the same chain, units of this one
 */
export class Space {
  /** Last extent of the last chain that was allocated. */
  last: number
  private readonly control: Int32Array
  private readonly links: Int32Array
  private readonly marks: Uint8Array
  private readonly segmentMask: number

  constructor(memory: StoreMemory) {
    this.last = NO_UNIT
    this.control = memory.control
    this.links = memory.links
    this.marks = memory.marks
    this.segmentMask = memory.segmentMask
  }

  /** Puts all units of a new store into the free lists. */
  clear(units: number): void {
    for (let i = 0; i < CLASSES; i++) this.control[CLASS_HEADS + i] = NO_UNIT
    for (let at = 0; at < units; at += this.segmentMask + 1) this.free(at, Math.min(this.segmentMask + 1, units - at))
  }

  get unitsFree(): number {
    return this.control[UNITS_FREE]!
  }

  /** Free units in runs that are not small. */
  get unitsLarge(): number {
    return this.control[UNITS_LARGE]!
  }

  /** Units of the longest run that is certain to be had. */
  get runMax(): number {
    const run = this.longest()
    return run === NO_UNIT ? 0 : this.unitsOf(run)
  }

  /** Units of all extents of a chain. */
  chainUnits(first: number): number {
    let units = 0
    for (let extent = first; extent !== NO_UNIT; extent = this.links[extent * 2]!) units += this.links[extent * 2 + 1]!
    return units
  }

  extentUnits(unit: number): number {
    return this.links[unit * 2 + 1]!
  }

  /** Puts the chain of extents that begins at `next` behind the extent at `unit`. */
  join(unit: number, next: number): void {
    this.links[unit * 2] = next
  }

  /** One run of `units`, a chain of one extent; `NO_UNIT` = there is none of that length. */
  allocateRun(units: number): number {
    assert(units > 0, "a run has a unit")
    const own = classOf(units)
    const { control, links } = this
    let run = control[CLASS_HEADS + own]!
    for (let looks = 0; run !== NO_UNIT && looks < LOOKS_MAX; looks++, run = links[run * 2]!) {
      if (this.unitsOf(run) >= units) return this.cut(run, units)
    }
    const next = this.firstClass(own + 1)
    return next === -1 ? NO_UNIT : this.cut(control[CLASS_HEADS + next]!, units)
  }

  /** A chain of extents of `units` in all, as few as there may be. There have to be that many free units. */
  allocateChain(units: number): number {
    assert(units > 0 && this.control[UNITS_FREE]! >= units, "a chain needs its units")
    let first = NO_UNIT
    let last = NO_UNIT
    let left = units
    while (left > 0) {
      let extent = this.allocateRun(left)
      if (extent === NO_UNIT) {
        const run = this.longest()
        extent = this.cut(run, Math.min(left, this.unitsOf(run)))
      }
      if (first === NO_UNIT) first = extent
      else this.links[last * 2] = extent
      last = extent
      left -= this.links[extent * 2 + 1]!
    }
    this.last = last
    return first
  }

  /** Gives a chain of extents back. Answers how many units it had. */
  freeChain(first: number): number {
    let units = 0
    for (let extent = first; extent !== NO_UNIT; ) {
      const next = this.links[extent * 2]!
      const length = this.links[extent * 2 + 1]!
      this.free(extent, length)
      units += length
      extent = next
    }
    return units
  }

  /** Gives back what a chain has behind its first `units` units, at least 1. Answers how many these were. */
  trimChain(first: number, units: number): number {
    let left = units
    let extent = first
    while (left > this.links[extent * 2 + 1]!) {
      left -= this.links[extent * 2 + 1]!
      extent = this.links[extent * 2]!
      if (extent === NO_UNIT) return 0
    }
    const over = this.links[extent * 2 + 1]! - left
    const rest = this.links[extent * 2]!
    this.links[extent * 2] = NO_UNIT
    this.links[extent * 2 + 1] = left
    if (over > 0) this.free(extent + left, over)
    return over + this.freeChain(rest)
  }

  private unitsOf(run: number): number {
    return this.marks[run] === SINGLE ? 1 : this.links[run * 2 + 3]!
  }

  /** Makes an extent longer by up to `units` that are free right behind it. Answers by how many. */
  extend(extent: number, units: number): number {
    const { links } = this
    const end = extent + links[extent * 2 + 1]!
    const mark = this.marks[end]
    if ((end & this.segmentMask) === 0 || (mark !== SINGLE && mark !== FIRST)) return 0
    const size = this.unitsOf(end)
    const more = Math.min(units, size)
    this.take(end, size)
    if (size > more) this.put(end + more, size - more)
    links[extent * 2 + 1]! += more
    return more
  }

  /** A run of the highest class that has one. */
  private longest(): number {
    const { control } = this
    for (let word = BIT_WORDS - 1; word >= 0; word--) {
      const bits = control[CLASS_BITS + word]!
      if (bits !== 0) return control[CLASS_HEADS + word * 32 + 31 - Math.clz32(bits)]!
    }
    return NO_UNIT
  }

  /** The first class from `from` on that has a run, -1 = none. */
  private firstClass(from: number): number {
    const { control } = this
    let mask = -1 << (from & 31)
    for (let word = from >>> 5; word < BIT_WORDS; word++) {
      const bits = control[CLASS_BITS + word]! & mask
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits)
      mask = -1
    }
    return -1
  }

  /** Takes the first `units` of a free run. */
  private cut(run: number, units: number): number {
    const size = this.unitsOf(run)
    this.take(run, size)
    if (size > units) this.put(run + units, size - units)
    this.links[run * 2] = NO_UNIT
    this.links[run * 2 + 1] = units
    return run
  }

  /** Gives `units` from `unit` on back. */
  private free(unit: number, units: number): void {
    const { marks, segmentMask } = this
    let from = unit
    let to = unit + units
    if ((from & segmentMask) !== 0 && marks[from - 1] !== NO_END) {
      const size = marks[from - 1] === SINGLE ? 1 : this.links[(from - 1) * 2]!
      from -= size
      this.take(from, size)
    }
    const mark = marks[to]
    if ((to & segmentMask) !== 0 && (mark === SINGLE || mark === FIRST)) {
      const size = this.unitsOf(to)
      this.take(to, size)
      to += size
    }
    this.put(from, to - from)
  }

  /** Puts a free run into its list. */
  private put(run: number, units: number): void {
    const { control, links, marks } = this
    const own = classOf(units)
    const head = control[CLASS_HEADS + own]!
    links[run * 2] = head
    links[run * 2 + 1] = NO_UNIT
    if (head !== NO_UNIT) links[head * 2 + 1] = run
    control[CLASS_HEADS + own] = run
    control[CLASS_BITS + (own >>> 5)]! |= 1 << (own & 31)
    control[UNITS_FREE]! += units
    if (units >= LARGE_UNITS) control[UNITS_LARGE]! += units
    if (units === 1) marks[run] = SINGLE
    else {
      marks[run] = FIRST
      marks[run + units - 1] = LAST
      links[run * 2 + 3] = units
      links[(run + units - 1) * 2] = units
    }
  }

  /** Takes a free run out of its list. */
  private take(run: number, units: number): void {
    const { control, links, marks } = this
    const own = classOf(units)
    const next = links[run * 2]!
    const previous = links[run * 2 + 1]!
    if (next !== NO_UNIT) links[next * 2 + 1] = previous
    if (previous !== NO_UNIT) links[previous * 2] = next
    else {
      control[CLASS_HEADS + own] = next
      if (next === NO_UNIT) control[CLASS_BITS + (own >>> 5)]! &= ~(1 << (own & 31))
    }
    control[UNITS_FREE]! -= units
    if (units >= LARGE_UNITS) control[UNITS_LARGE]! -= units
    marks[run] = NO_END
    marks[run + units - 1] = NO_END
  }
}

/** Runs of up to 15 units have a class for each length, longer ones eight for each power of two. */
function classOf(units: number): number {
  if (units < 16) return units
  const power = 31 - Math.clz32(units)
  return 16 + (power - 4) * 8 + ((units >>> (power - 3)) & 7)
}
