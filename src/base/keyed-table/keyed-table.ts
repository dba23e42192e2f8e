// HOT
import { assert } from "../assert.ts"
import { KeyHash } from "./key-hash.ts"

/*
 * One SharedArrayBuffer, counted in 32-bit words:
 *
 *   0    head: magic, kind, keysMax, valueWords, seed (2 words), threads that came, evictions, locks taken from dead threads, what the kind needs (1 word)
 *   64   buckets. Each begins with a line of 16 words: its lock, how often its keys were asked for, the high halves of 7 keys, the low halves; 7 entries
 *        follow, each of `valueWords` words, whose first is what that number was when the key was last asked for
 *
 * A key lives in the one bucket that its hash names, so that a look costs two cache lines. A bucket that is full gives up the key that nobody has asked for
 * the longest. There are twice as many places as keys.
 */
const MAGIC = 0x42_57_4b_31
const MAGIC_AT = 0
const KIND = 1
const KEYS_MAX = 2
const VALUE_WORDS = 3
const SEED = 4
const THREADS = 6
const EVICTIONS = 7
const TAKEN_LOCKS = 8
const EXTRA = 9
const HEAD_WORDS = 64

const PLACES = 7
const ASKED = 1
const HIGH = 2
const LOW = HIGH + PLACES
const LINE_WORDS = 16
/** Keys of a bucket when as many are there as are promised. */
const LOAD = 3.5

const SPINS_MAX = 200
/** Whoever holds a lock for longer is dead: what is done under it takes a tenth of a microsecond, and a thread that was put aside comes back sooner. */
const PATIENCE_MS = 100
const TICKET_BITS = 20
const TICKET_MASK = (1 << TICKET_BITS) - 1
const THREADS_MASK = 0x3ff

export interface TableShape {
  /** Keys that have room, 1 to 4,000,000. Some 2 of 100 may lose their place before, to others that came later. */
  readonly keysMax: number
  /** Words of an entry, a multiple of 16. The first is the table's own. */
  readonly valueWords: number
  /** What the words mean: one of KIND_… */
  readonly kind: number
}

export const KIND_METER = 1
/** Entries are counts by worker, 16 bits each, from the third word on. */
export const KIND_TALLY = 2
export const KIND_BANS = 3
export const KIND_QUOTAS = 4

/** Words of an entry that has tallies of so many workers. */
export function tallyWords(workers: number): number {
  return Math.ceil((TALLY_AT + Math.ceil(workers / 2)) / LINE_WORDS) * LINE_WORDS
}

/** First word of an entry with tallies. */
export const TALLY_AT = 2

/**
 * What threads know of keys (clients, users, anything that is text): a few words for each, in memory that all of them share. `enter` locks the key's bucket,
 * `leave` unlocks it; between them the words of the entry are this thread's alone. A lock is a ticket that is used once: of a thread that died with one it
 * is taken away after a tenth of a second.
 */
export class KeyedTable {
  readonly words: Int32Array
  /** The same memory. An entry begins at an even word. */
  readonly floats: Float64Array
  /** The same memory, for tallies. */
  readonly halves: Uint16Array
  readonly valueWords: number
  /** The last `enter` made an entry. */
  isNew = false
  /** Entries of others that this object gave up for new ones. */
  evicted = 0
  private readonly hash: KeyHash
  private readonly buckets: number
  private readonly stride: number
  private readonly mayEvict: boolean
  private readonly salt: number
  private tickets: number
  private bucket = 0
  private place = 0
  private ticket = 0

  static bytes({ keysMax, valueWords }: TableShape): number {
    return (HEAD_WORDS + bucketCount(keysMax) * (LINE_WORDS + PLACES * valueWords)) * 4
  }

  /** What is in a memory that may be a table's; 0 = nothing that this class knows. */
  static kindOf(memory: SharedArrayBuffer): number {
    if (memory.byteLength < HEAD_WORDS * 4) return 0
    const head = new Int32Array(memory, 0, HEAD_WORDS)
    return Atomics.load(head, MAGIC_AT) === MAGIC ? head[KIND]! : 0
  }

  /** A table that another thread has begun, by what its head says. */
  static open(memory: SharedArrayBuffer): KeyedTable {
    const head = new Int32Array(memory, 0, HEAD_WORDS)
    assert(Atomics.load(head, MAGIC_AT) === MAGIC, "a table's memory")
    return new KeyedTable(memory, { keysMax: head[KEYS_MAX]!, valueWords: head[VALUE_WORDS]!, kind: head[KIND]! })
  }

  /** The memory is all zeroes, or that of a table of the same shape. */
  constructor(memory: SharedArrayBuffer, shape: TableShape) {
    assert(shape.valueWords % LINE_WORDS === 0 && memory.byteLength === KeyedTable.bytes(shape), "memory for a table of this shape")
    const words = new Int32Array(memory)
    this.words = words
    this.floats = new Float64Array(memory)
    this.halves = new Uint16Array(memory)
    this.valueWords = shape.valueWords
    this.mayEvict = shape.kind !== KIND_TALLY
    this.buckets = bucketCount(shape.keysMax)
    this.stride = LINE_WORDS + PLACES * shape.valueWords
    // Whoever comes first decides, word by word: no thread can die in the middle of it.
    for (let i = 0; i < 2; i++) Atomics.compareExchange(words, SEED + i, 0, crypto.getRandomValues(new Int32Array(1))[0]! | 1)
    words[KIND] = shape.kind
    words[KEYS_MAX] = shape.keysMax
    words[VALUE_WORDS] = shape.valueWords
    this.hash = new KeyHash(words[SEED]!, words[SEED + 1]!)
    this.salt = ((Atomics.add(words, THREADS, 1) & THREADS_MASK) + 1) << TICKET_BITS
    this.tickets = 0
    Atomics.store(words, MAGIC_AT, MAGIC)
  }

  /**
   * Index of the first word of the key's entry, which is made, all zeroes, when there is none. The bucket is this thread's until `leave`, which must follow
   * in any case. -1 in a table of tallies whose bucket is full of keys that are in use.
   */
  enter(key: string): number {
    const found = this.find(key)
    return found === -1 ? this.insert() : found
  }

  /** The same when there is an entry already, else -1. `leave` must follow in either case. */
  find(key: string): number {
    const { hash, words } = this
    hash.read(key)
    const { high, low } = hash
    this.lock(HEAD_WORDS + Math.floor((high >>> 0) * (this.buckets / 0x1_0000_0000)) * this.stride)
    this.isNew = false
    const at = this.bucket
    for (let place = 0; place < PLACES; place++) {
      if (words[at + HIGH + place] !== high || words[at + LOW + place] !== low) continue
      this.place = place
      const base = this.entryOf(place)
      words[base] = ++words[at + ASKED]!
      return base
    }
    return -1
  }

  /** Locks the bucket of an entry that cannot have gone meanwhile: one with a tally of this thread's own. */
  enterAt(base: number): void {
    const bucket = Math.floor((base - HEAD_WORDS) / this.stride)
    this.lock(HEAD_WORDS + bucket * this.stride)
    this.place = (base - this.bucket - LINE_WORDS) / this.valueWords
  }

  /** The sum of the tallies of an entry. */
  tallies(base: number): number {
    const first = (base + TALLY_AT) * 2
    const end = (base + this.valueWords) * 2
    let sum = 0
    for (let i = first; i < end; i++) sum += this.halves[i]!
    return sum
  }

  /** Unlocks what `enter` or `find` has locked. */
  leave(): void {
    Atomics.compareExchange(this.words, this.bucket, this.ticket, 0)
  }

  /** Forgets the entry that was entered. Before `leave`. */
  drop(): void {
    this.words[this.bucket + HIGH + this.place] = 0
    this.words[this.bucket + LOW + this.place] = 0
  }

  /** Octets of all keys' words are looked at, bucket by bucket, each under its lock. Not for the data path. */
  visit(visitor: { visit(base: number, table: KeyedTable): void }): void {
    for (let i = 0; i < this.buckets; i++) {
      this.lock(HEAD_WORDS + i * this.stride)
      for (let place = 0; place < PLACES; place++) {
        this.place = place
        if (this.isTaken(place)) visitor.visit(this.entryOf(place), this)
      }
      this.leave()
    }
  }

  /** Takes back what a dead worker had in tallies. Its own halves of words are written by nobody else, so no lock is needed. */
  forgetWorker(worker: number): void {
    for (let i = 0; i < this.buckets; i++)
      for (let place = 0; place < PLACES; place++) {
        const base = HEAD_WORDS + i * this.stride + LINE_WORDS + place * this.valueWords
        this.halves[(base + TALLY_AT) * 2 + worker] = 0
      }
  }

  /** Keys that lost their place to others, over all threads. */
  get evictions(): number {
    return Atomics.load(this.words, EVICTIONS)
  }

  /** Locks that were taken from threads that had died with them. */
  get takenLocks(): number {
    return Atomics.load(this.words, TAKEN_LOCKS)
  }

  /** A number that all threads may count up, such as one for changes. */
  get extra(): number {
    return Atomics.load(this.words, EXTRA)
  }

  countExtra(): void {
    Atomics.add(this.words, EXTRA, 1)
  }

  private isTaken(place: number): boolean {
    return (this.words[this.bucket + HIGH + place]! | this.words[this.bucket + LOW + place]!) !== 0
  }

  private entryOf(place: number): number {
    return this.bucket + LINE_WORDS + place * this.valueWords
  }

  private insert(): number {
    const { words, hash } = this
    const place = this.placeForNew()
    if (place === -1) return -1
    const base = this.entryOf(place)
    // Without a key while it is being changed: a thread that dies here leaves a free place.
    this.place = place
    this.drop()
    words.fill(0, base, base + this.valueWords)
    words[base] = ++words[this.bucket + ASKED]!
    words[this.bucket + LOW + place] = hash.low
    words[this.bucket + HIGH + place] = hash.high
    this.isNew = true
    return base
  }

  /** A free place, or that of the key that has been asked for the longest ago; tallies stay as long as they count something. */
  private placeForNew(): number {
    const asked = this.words[this.bucket + ASKED]!
    let oldest = -1
    let age = -1
    for (let place = 0; place < PLACES; place++) {
      if (!this.isTaken(place)) return place
      if (!this.mayEvict && this.tallies(this.entryOf(place)) > 0) continue
      const idle = (asked - this.words[this.entryOf(place)]!) >>> 0
      if (idle <= age) continue
      age = idle
      oldest = place
    }
    if (oldest === -1 || !this.mayEvict) return oldest
    this.evicted++
    Atomics.add(this.words, EVICTIONS, 1)
    return oldest
  }

  private lock(bucket: number): void {
    this.tickets = (this.tickets + 1) & TICKET_MASK
    const ticket = this.salt | this.tickets
    this.bucket = bucket
    this.ticket = ticket
    if (Atomics.compareExchange(this.words, bucket, 0, ticket) !== 0) this.wait(bucket, ticket)
  }

  private wait(bucket: number, ticket: number): void {
    const { words } = this
    for (let i = 0; i < SPINS_MAX; i++) if (Atomics.compareExchange(words, bucket, 0, ticket) === 0) return
    let holder = 0
    let since = 0
    for (;;) {
      const seen = Atomics.compareExchange(words, bucket, 0, ticket)
      if (seen === 0) return
      if (seen !== holder) {
        holder = seen
        since = performance.now()
      } else if (performance.now() - since > PATIENCE_MS && Atomics.compareExchange(words, bucket, holder, ticket) === holder) {
        Atomics.add(words, TAKEN_LOCKS, 1)
        return
      }
      // A holder that the system has put aside needs the processor more than the one that waits.
      Atomics.wait(words, bucket, seen, 0.2)
    }
  }
}

function bucketCount(keysMax: number): number {
  return Math.max(8, Math.ceil(keysMax / LOAD))
}
