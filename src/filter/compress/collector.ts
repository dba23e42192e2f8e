// HOT
const START_BYTES = 32 * 1024
const KEEP_MAX = 64
/** Larger ones are left to the collector. */
const KEEP_BYTES_MAX = 128 * 1024

/** Memory in which a body is put together; it is used again for the next one. */
export class Collector {
  private memory: Buffer = Buffer.allocUnsafeSlow(START_BYTES)

  /** Puts a chunk behind the `at` octets that are there. */
  add(chunk: Uint8Array, at: number): void {
    const end = at + chunk.length
    if (end > this.memory.length) this.grow(at, end)
    this.memory.set(chunk, at)
  }

  private grow(at: number, end: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(end, this.memory.length * 2))
    this.memory.copy(larger, 0, 0, at)
    this.memory = larger
  }

  /** What has been put in; until this is given back. */
  octets(bytes: number): Uint8Array {
    return this.memory.subarray(0, bytes)
  }

  get isLarge(): boolean {
    return this.memory.length > KEEP_BYTES_MAX
  }
}

const kept: Collector[] = []

export function takeCollector(): Collector {
  const known = kept.pop()
  return known === undefined ? new Collector() : known
}

export function giveCollector(collector: Collector): void {
  if (kept.length < KEEP_MAX && !collector.isLarge) kept.push(collector)
}
