// HOT
import { assert } from "../../../base/index.ts"
import { ORDER_HEADS, ORDERS_FREE, type StoreMemory, UNITS_FREE } from "./layout.ts"

/** No unit. */
export const NO_UNIT = -1

/**
 * The units of the store, by buddies: a free block has 2^order units and lies at a multiple of its size, so that it finds the half that it was cut off from.
 * What is allocated is a run of any number of units: what a block has behind the run is given back at once. All under the lock.
 *
 *   links of a free block's first unit:    next and previous free block of that order
 *   links of an extent's first unit:       next extent of the same chain, units of this one
 */
export class Space {
  /** Last extent of the last chain that was allocated. */
  last: number
  private readonly control: Int32Array
  private readonly links: Int32Array
  private readonly orders: Uint8Array
  private readonly orderMax: number

  constructor(memory: StoreMemory) {
    this.last = NO_UNIT
    this.control = memory.control
    this.links = memory.links
    this.orders = memory.orders
    this.orderMax = memory.segmentShift
  }

  /** Puts all units of a new store into the free lists. */
  clear(units: number): void {
    for (let order = 0; order <= this.orderMax; order++) this.control[ORDER_HEADS + order] = NO_UNIT
    this.free(0, units)
  }

  get unitsFree(): number {
    return this.control[UNITS_FREE]!
  }

  /** Units of the longest run that is certain to be had. */
  get runMax(): number {
    const mask = this.control[ORDERS_FREE]!
    return mask === 0 ? 0 : 1 << (31 - Math.clz32(mask))
  }

  nextExtent(unit: number): number {
    return this.links[unit * 2]!
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
    const order = 32 - Math.clz32(units - 1)
    const larger = order > this.orderMax ? 0 : (this.control[ORDERS_FREE]! >>> order) << order
    if (larger === 0) return NO_UNIT
    return this.cut(31 - Math.clz32(larger & -larger), units)
  }

  /** A chain of extents of `units` in all, as few as there may be. There have to be that many free units. */
  allocateChain(units: number): number {
    const control = this.control
    assert(units > 0 && control[UNITS_FREE]! >= units, "a chain needs its units")
    let first = NO_UNIT
    let last = NO_UNIT
    let left = units
    while (left > 0) {
      let extent = this.allocateRun(left)
      if (extent === NO_UNIT) {
        const order = 31 - Math.clz32(control[ORDERS_FREE]!)
        extent = this.cut(order, Math.min(left, 1 << order))
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

  /** Takes a free block of this order and keeps its first `units`. */
  private cut(order: number, units: number): number {
    const unit = this.control[ORDER_HEADS + order]!
    const size = 1 << order
    this.take(unit, order)
    this.control[UNITS_FREE]! -= size
    if (size > units) this.free(unit + units, size - units)
    this.links[unit * 2] = NO_UNIT
    this.links[unit * 2 + 1] = units
    return unit
  }

  /** Gives `units` from `unit` on back, as the largest blocks that lie there. */
  private free(unit: number, units: number): void {
    this.control[UNITS_FREE]! += units
    const end = unit + units
    for (let at = unit; at < end; ) {
      let order = 31 - Math.clz32(end - at)
      if (at !== 0) order = Math.min(order, 31 - Math.clz32(at & -at))
      if (order > this.orderMax) order = this.orderMax
      this.put(at, order)
      at += 1 << order
    }
  }

  /** Puts one block into its list, after joining it with its buddy as long as that is free. */
  private put(unit: number, order: number): void {
    const { control, links, orders, orderMax } = this
    let at = unit
    let size = order
    while (size < orderMax) {
      const buddy = at ^ (1 << size)
      if (orders[buddy] !== size + 1) break
      this.take(buddy, size)
      at &= ~(1 << size)
      size++
    }
    const head = control[ORDER_HEADS + size]!
    links[at * 2] = head
    links[at * 2 + 1] = NO_UNIT
    if (head !== NO_UNIT) links[head * 2 + 1] = at
    control[ORDER_HEADS + size] = at
    control[ORDERS_FREE]! |= 1 << size
    orders[at] = size + 1
  }

  /** Takes one free block out of its list. */
  private take(unit: number, order: number): void {
    const { control, links } = this
    const next = links[unit * 2]!
    const previous = links[unit * 2 + 1]!
    if (next !== NO_UNIT) links[next * 2 + 1] = previous
    if (previous !== NO_UNIT) links[previous * 2] = next
    else {
      control[ORDER_HEADS + order] = next
      if (next === NO_UNIT) control[ORDERS_FREE]! &= ~(1 << order)
    }
    this.orders[unit] = 0
  }
}
