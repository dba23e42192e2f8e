// HOT
import { assert, hashString, mix32, writeIp } from "../base/index.ts"

/** Counts this connection towards nobody: the table's bucket is full, or its owner does not answer. */
export const UNTRACKED = -1
/** The client has as many connections as it may. */
export const REFUSED = -2

// A counter of open connections for each worker, each on its own cache line, because every accept writes one.
const CELL_INTS = 16
const ENTRY_INTS = 3
const ENTRIES = 5
const BUCKET_INTS = 16
const LOCK_TRIES_MAX = 100_000
const IPV4_PREFIX = 0xffff

export interface LimitOptions {
  /** Connections of the listener over all workers; 0 = no limit. */
  connectionsMax: number
  /** Connections of one client over all workers; 0 = no limit. A client is an IPv4 address, or an IPv6 network of 64 bits, which is what one site is given. */
  perClientMax: number
  workers: number
}

/**
 * Open connections of one listener, counted over all workers in shared memory.
 *
 *   seed | worker 0 … | worker 1 … | … | bucket 0: lock, 5 × (address high, address low, count) | bucket 1 | …
 *
 * A client lives in the one bucket that its address hashes to (with a secret seed), under the bucket's lock. The buckets hold 2½ times as many clients as
 * there may be connections; a client whose bucket is full all the same is not limited by itself.
 */
export class ConnectionLimits {
  private readonly cells: Int32Array
  private readonly own: number
  private readonly workers: number
  private readonly connectionsMax: number
  private readonly perClientMax: number
  private readonly buckets: number
  private readonly mask: number
  private readonly octets: Uint8Array
  private high: number
  private low: number

  /** The memory for one listener, made by the control thread and given to each worker. */
  static share(options: LimitOptions): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(memoryInts(options) * 4)
    new Int32Array(shared)[0] = (Math.random() * 0x100000000) | 0
    return shared
  }

  /** Whether memory that was made for other limits serves these, too; its counts go on. */
  static fits(shared: SharedArrayBuffer, options: LimitOptions): boolean {
    return shared.byteLength === memoryInts(options) * 4
  }

  constructor(shared: SharedArrayBuffer, options: LimitOptions, worker: number) {
    assert(worker >= 0 && worker < options.workers, "a worker has its cell")
    const count = bucketCount(options)
    this.cells = new Int32Array(shared)
    this.workers = options.workers
    this.own = CELL_INTS * (worker + 1)
    this.connectionsMax = options.connectionsMax > 0 ? options.connectionsMax : Infinity
    this.perClientMax = options.perClientMax
    this.buckets = CELL_INTS * (options.workers + 1)
    this.mask = count - 1
    assert(this.cells.length >= this.buckets + count * BUCKET_INTS, "the memory was made for the same limits")
    this.octets = new Uint8Array(16)
    this.high = 0
    this.low = 0
  }

  /** Open connections of all workers. */
  get open(): number {
    let sum = 0
    for (let worker = 1; worker <= this.workers; worker++) sum += Atomics.load(this.cells, worker * CELL_INTS)
    return sum
  }

  get limitsClients(): boolean {
    return this.perClientMax > 0
  }

  /** Counts a new connection; false = it is one too many. It counts until `closeOne` in either case. */
  openOne(): boolean {
    Atomics.add(this.cells, this.own, 1)
    return this.open <= this.connectionsMax
  }

  closeOne(): void {
    const before = Atomics.sub(this.cells, this.own, 1)
    assert(before > 0, "what is closed was open")
  }

  /** A worker that died takes its connections with it. What it counted for single clients stays until the listener's memory is made anew. */
  forgetWorker(worker: number): void {
    Atomics.store(this.cells, CELL_INTS * (worker + 1), 0)
  }

  /** Counts a connection of this client. Answers what `release` needs, or REFUSED, or UNTRACKED. */
  admit(address: string): number {
    if (this.perClientMax === 0) return UNTRACKED
    const bucket = this.buckets + (this.readKey(address) & this.mask) * BUCKET_INTS
    if (!this.lock(bucket)) return UNTRACKED
    const slot = this.admitLocked(bucket)
    Atomics.store(this.cells, bucket, 0)
    return slot
  }

  private admitLocked(bucket: number): number {
    const { cells, high, low } = this
    let free = UNTRACKED
    for (let i = 0; i < ENTRIES; i++) {
      const entry = bucket + 1 + i * ENTRY_INTS
      const count = cells[entry + 2]!
      if (count === 0) free = entry
      else if (cells[entry] === high && cells[entry + 1] === low) {
        if (count >= this.perClientMax) return REFUSED
        cells[entry + 2] = count + 1
        return entry
      }
    }
    if (free === UNTRACKED) return UNTRACKED
    cells[free] = high
    cells[free + 1] = low
    cells[free + 2] = 1
    return free
  }

  /** Takes back what `admit` counted. */
  release(slot: number): void {
    if (slot < 0) return
    const bucket = slot - ((slot - this.buckets) % BUCKET_INTS)
    const locked = this.lock(bucket)
    this.cells[slot + 2] = this.cells[slot + 2]! - 1
    if (locked) Atomics.store(this.cells, bucket, 0)
  }

  /** Held for some 50 ns. A thread that died inside must not take the others with it, so patience ends. */
  private lock(bucket: number): boolean {
    for (let tries = 0; tries < LOCK_TRIES_MAX; tries++) {
      if (Atomics.compareExchange(this.cells, bucket, 0, 1) === 0) return true
    }
    return false
  }

  /** Sets `high` and `low` to what tells the client, and answers the hash. */
  private readKey(address: string): number {
    const { octets } = this
    const family = writeIp(address, octets, 0)
    if (family === 0) {
      this.high = hashString(address, 1)
      this.low = hashString(address, 2)
    } else {
      const first = (octets[0]! << 24) | (octets[1]! << 16) | (octets[2]! << 8) | octets[3]!
      this.high = family === 4 ? IPV4_PREFIX : first
      this.low = family === 4 ? first : (octets[4]! << 24) | (octets[5]! << 16) | (octets[6]! << 8) | octets[7]!
    }
    this.high |= 0
    this.low |= 0
    return mix32(this.high ^ mix32(this.low ^ this.cells[0]!))
  }
}

function memoryInts(options: LimitOptions): number {
  return CELL_INTS * (options.workers + 1) + BUCKET_INTS * bucketCount(options)
}

function bucketCount(options: LimitOptions): number {
  if (options.perClientMax === 0) return 1
  const connections = options.connectionsMax > 0 ? options.connectionsMax : 65_536
  return Math.max(16, 2 ** Math.ceil(Math.log2(connections / 2)))
}
