/** Nobody: the end of a queue. */
const NONE = -1

/** The links of all queues of one simulated cache: an object stands in one of them at most, so that they can share the memory. */
export class Links {
  readonly next: Int32Array
  readonly previous: Int32Array

  constructor(objectsMax: number) {
    this.next = new Int32Array(objectsMax)
    this.previous = new Int32Array(objectsMax)
  }
}

/** Objects, as small numbers, in the order in which they came, and how many octets they have. Nothing is allocated for an object. */
export class IdQueue {
  bytes = 0
  length = 0
  private oldest = NONE
  private newest = NONE
  private readonly links: Links

  constructor(links: Links) {
    this.links = links
  }

  push(id: number, bytes: number): void {
    const { next, previous } = this.links
    previous[id] = this.newest
    next[id] = NONE
    if (this.newest === NONE) this.oldest = id
    else next[this.newest] = id
    this.newest = id
    this.bytes += bytes
    this.length++
  }

  /** The oldest, which stays; -1 = the queue is empty. */
  first(): number {
    return this.oldest
  }

  /** The one that came after `id`, which must be in this queue; -1 = none. */
  after(id: number): number {
    return this.links.next[id]!
  }

  /** Takes `id` out, wherever it stands. It must be in this queue. */
  remove(id: number, bytes: number): void {
    const { next, previous } = this.links
    const before = previous[id]!
    const after = next[id]!
    if (before === NONE) this.oldest = after
    else next[before] = after
    if (after === NONE) this.newest = before
    else previous[after] = before
    this.bytes -= bytes
    this.length--
  }

  /** All of them, the oldest first. */
  ids(): number[] {
    const all: number[] = []
    for (let id = this.oldest; id !== NONE; id = this.after(id)) all.push(id)
    return all
  }

  clear(): void {
    this.bytes = 0
    this.length = 0
    this.oldest = NONE
    this.newest = NONE
  }
}
