import { IdQueue, Links } from "./id-queue.ts"

const ABSENT = 0
const SMALL = 1
const MAIN = 2
const GHOST = 3

/** Share of the capacity that the small queue has. */
const SMALL_SHARE = 0.1
/** How far the uses of an entry are counted: two bits. */
const USES_MAX = 3

export interface S3FifoShape {
  /** Octets of the cache. */
  readonly capacity: number
  /** Octets that one entry may have; larger ones are never kept. */
  readonly entryBytesMax: number
  /** Uses in the small queue that lead to the main one. Default 2. */
  readonly promoteUses?: number
  /** Entries of under half the mean size need one use less for the main queue, those of over twice the mean one more, and two for a further round there. Default false. */
  readonly bySize?: boolean
}

/**
 * S3-FIFO by octets (Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023), as a simulation: it keeps no bodies, only which objects
 * would be there. What is new goes to the small queue; from its end what was used goes to the main queue, and the rest leaves and is remembered in the ghost queue.
 * What comes back while it is remembered goes to the main queue, where an entry that was used gets another round.
 */
export class S3Fifo {
  private capacity: number
  private entryBytesMax: number
  private readonly promoteUses: number
  private readonly bySize: boolean
  private readonly where: Uint8Array
  private readonly uses: Uint8Array
  private readonly sizes: Float64Array
  private readonly small: IdQueue
  private readonly main: IdQueue
  private readonly ghost: IdQueue

  /** `sizes` says how many octets each object has, by its number; whoever changes one calls `resize`. */
  constructor(shape: S3FifoShape, sizes: Float64Array) {
    const links = new Links(sizes.length)
    this.capacity = shape.capacity
    this.entryBytesMax = shape.entryBytesMax
    this.promoteUses = shape.promoteUses ?? 2
    this.bySize = shape.bySize ?? false
    this.where = new Uint8Array(sizes.length)
    this.uses = new Uint8Array(sizes.length)
    this.sizes = sizes
    this.small = new IdQueue(links)
    this.main = new IdQueue(links)
    this.ghost = new IdQueue(links)
  }

  /** Octets that are kept. */
  get bytes(): number {
    return this.small.bytes + this.main.bytes
  }

  /** Entries that are kept. */
  get entries(): number {
    return this.small.length + this.main.length
  }

  /** A request for this object: whether it was there. If not, it is now, unless it is too large. */
  request(id: number): boolean {
    const where = this.where[id]!
    if (where === SMALL || where === MAIN) {
      if (this.uses[id]! < USES_MAX) this.uses[id]!++
      return true
    }
    const bytes = this.sizes[id]!
    if (bytes > this.entryBytesMax) return false
    if (where === GHOST) this.leave(this.ghost, id)
    this.makeRoom(bytes)
    this.enter(where === GHOST ? MAIN : SMALL, id)
    return false
  }

  /** The object has `delta` octets more than before. */
  resize(id: number, delta: number): void {
    const where = this.where[id]!
    if (where === ABSENT) return
    this.queueOf(where).bytes += delta
    this.makeRoom(0)
    this.trimGhost()
  }

  /** Objects have other numbers from now on, -1 = it is gone; and the cache another capacity. */
  renumber(renamed: Int32Array, capacity: number, entryBytesMax: number): void {
    const queues = [this.small, this.main, this.ghost].map(queue => queue.ids())
    const uses = this.uses.slice()
    this.where.fill(ABSENT)
    this.uses.fill(0)
    this.capacity = capacity
    this.entryBytesMax = entryBytesMax
    for (const queue of [this.small, this.main, this.ghost]) queue.clear()
    for (const [i, ids] of queues.entries()) {
      for (const id of ids) {
        const to = renamed[id]!
        if (to < 0) continue
        this.enter(SMALL + i, to)
        this.uses[to] = uses[id]!
      }
    }
    this.makeRoom(0)
    this.trimGhost()
  }

  private queueOf(where: number): IdQueue {
    return where === SMALL ? this.small : where === MAIN ? this.main : this.ghost
  }

  private enter(where: number, id: number): void {
    this.queueOf(where).push(id, this.sizes[id]!)
    this.where[id] = where
    this.uses[id] = 0
  }

  private leave(queue: IdQueue, id: number): void {
    queue.remove(id, this.sizes[id]!)
    this.where[id] = ABSENT
  }

  private makeRoom(bytes: number): void {
    while (this.bytes + bytes > this.capacity && this.entries > 0) {
      if (this.small.bytes > this.capacity * SMALL_SHARE || this.main.length === 0) this.evictSmall()
      else this.evictMain()
    }
  }

  private evictSmall(): void {
    const id = this.small.first()
    const isUsed = this.uses[id]! >= this.promoteUses + this.surcharge(id)
    this.leave(this.small, id)
    this.enter(isUsed ? MAIN : GHOST, id)
    if (!isUsed) this.trimGhost()
  }

  private evictMain(): void {
    const id = this.main.first()
    const left = this.uses[id]! - 1 - Math.max(0, this.surcharge(id))
    this.leave(this.main, id)
    if (left < 0) return
    this.enter(MAIN, id)
    this.uses[id] = left
  }

  private surcharge(id: number): number {
    if (!this.bySize) return 0
    const share = this.sizes[id]! / (this.bytes / this.entries)
    return share < 0.5 ? -1 : share > 2 ? 1 : 0
  }

  /** As many octets are remembered as the main queue has room for. */
  private trimGhost(): void {
    while (this.ghost.bytes > this.capacity * (1 - SMALL_SHARE)) this.leave(this.ghost, this.ghost.first())
  }
}
