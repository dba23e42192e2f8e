import { IdQueue, Links } from "./id-queue.ts"

/** Least recently used, by octets: what S3-FIFO is measured against. */
export class Lru {
  private readonly queue: IdQueue
  private readonly inside: Uint8Array
  private readonly sizes: Float64Array
  private readonly capacity: number
  private readonly entryBytesMax: number

  constructor(shape: { readonly capacity: number; readonly entryBytesMax: number }, sizes: Float64Array) {
    this.queue = new IdQueue(new Links(sizes.length))
    this.inside = new Uint8Array(sizes.length)
    this.sizes = sizes
    this.capacity = shape.capacity
    this.entryBytesMax = shape.entryBytesMax
  }

  get bytes(): number {
    return this.queue.bytes
  }

  request(id: number): boolean {
    const bytes = this.sizes[id]!
    const hit = this.inside[id] === 1
    if (hit) this.queue.remove(id, bytes)
    else if (bytes > this.entryBytesMax) return false
    while (this.queue.bytes + bytes > this.capacity) this.evict()
    this.queue.push(id, bytes)
    this.inside[id] = 1
    return hit
  }

  private evict(): void {
    const id = this.queue.first()
    this.queue.remove(id, this.sizes[id]!)
    this.inside[id] = 0
  }
}
