import { assert } from "../../../base/index.ts"

/*
 * Where everything is. All of it is shared by all threads, in buffers whose pages cost nothing before they are written.
 *
 *   control   words and counters of the whole store, the lock among them
 *   entries   a row of 32 words for each entry; row 0 is not used, so that 0 means none
 *   buckets   for each bucket of the hash table: the first entry of its chain, and how often something was taken out of the chain
 *   links     for each unit of 256 octets of `data`: two words, see `Space`
 *   marks     for each unit: whether a free run begins or ends there
 *   ghosts    hashes of what was evicted of late
 *   bells     for each thread a word that changes, and wakes it, when what it watches may have changed
 *   pins      for each thread a row with a word for each entry: how often that thread holds it. Nobody else writes there while the thread lives
 *   data      the units: keys, labels, heads and bodies
 */

/** Octets of a unit, the least that is ever allocated. */
export const UNIT_BYTES = 256
export const UNIT_SHIFT = 8
const SEGMENT_BYTES_MAX = 2 ** 30
/** No entry is larger, whatever the store's size: its numbers are 32-bit words. */
export const ENTRY_BYTES_CEILING = 2 ** 30
const ENTRIES_CEILING = 2 ** 23
const BYTES_MIN = 64 * 1024
export const BYTES_MAX = 64 * 2 ** 30

// Words of `control`. A line of 16 for what is only read, one for the lock, then what changes under the lock.
export const RETIRED = 0
export const THREADS_USED = 1
export const LOCK = 16
/** Nobody ever wakes a thread that sleeps on this one: it only sleeps for a while. */
export const NEVER = 17
export const LOCK_FAILURES = 32
export const UNITS_FREE = 48
/** Those of them that lie in runs of at least `LARGE_UNITS`. */
export const UNITS_LARGE = 49
export const SLOT_FREE = 50
/** Rows that were ever used: 1 to this. */
export const SLOTS_TOUCHED = 51
export const ENTRIES_LIVE = 52
/** Rows that `sweep` has still to look at, since a thread could not free what it was the last to hold. */
export const SWEEP_LEFT = 53
export const SWEEP_AT = 54
export const GHOST_CLOCK = 55
/** First, last, units and count of the two queues: small, then main. */
export const QUEUES = 64
/** A bit for each class of free runs that has one. */
export const CLASS_BITS = 80
export const REFUSED = 112
/** Purges of more than one group that are under way. */
export const PURGING = 160
/** Purges so far: of more than one group, then of one, by its hash. */
export const PURGES = 176
export const PURGE_COUNTS = 32
/** First run of each class. */
export const CLASS_HEADS = 256
/** Classes of free runs by their length; the longest has 2^22 units. */
export const CLASSES = 16 + 19 * 8
const CONTROL_WORDS = 512
const COUNTERS_AT = 512

// 64-bit counters, written under the lock.
export const COUNT_INSERTED = 0
export const COUNT_EVICTED = 1
export const COUNT_PURGED = 2
/** Octets of keys, labels, heads and bodies, without what is lost to whole units. */
export const CONTENT_BYTES = 3

/** Why something found no room; a word of `control` each, from `REFUSED` on. */
export const REFUSALS = ["tooLarge", "noRoom", "fragmented", "noSlot", "crowded"] as const
export const REFUSED_TOO_LARGE = 0
export const REFUSED_NO_ROOM = 1
export const REFUSED_FRAGMENTED = 2
export const REFUSED_NO_SLOT = 3
export const REFUSED_CROWDED = 4

/** A bell has a line of its own. */
export const BELL_SHIFT = 4

// Words of an entry. The first line is what a reader needs.
export const ENTRY_SHIFT = 5
export const FLAGS = 0
export const HASH = 1
export const NEXT = 2
/** First unit of the block with key, labels, head and the first octets of the body; -1 = none. Before the head is known: of the key's block. */
export const BLOCK = 3
export const KEY_BYTES = 4
export const LABEL_BYTES = 5
export const HEAD_BYTES = 6
/** -1 = not known. */
export const BODY_LENGTH = 7
export const FILLED = 8
export const FREQUENCY = 9
export const GENERATION = 10
export const GROUP_HASH = 11
export const GROUP_BYTES = 12
/** Tenths of a second since the store's epoch; 0 = nobody. */
export const CLAIM = 13
/** Thread that fills or did, counted from 1. */
export const FILLER = 16
export const QUEUE_NEXT = 17
export const QUEUE_PREVIOUS = 18
/** All units that this entry has. */
export const UNITS = 19
/** The key's own block, when others may have been reading from it as the head came; -1 = none. */
export const KEY_BLOCK = 20
/** Octets that `CONTENT_BYTES` has for this entry. */
export const CONTENT = 21
/** A bit for each thread (those of the same number modulo 32 share it) that waits for a change. */
export const WATCHERS = 22

// Bits of FLAGS. The lowest two are the state.
export const STATE_BITS = 3
export const USED = 4
/** In its chain. */
export const LIVE = 8
/** A complete entry of the same key is still the one to find. */
export const REPLACING = 16
export const MARKED = 32
export const IN_SMALL = 64
export const IN_MAIN = 128

export interface MemoryStoreOptions {
  /** Octets that keys, labels, heads and bodies may take in all; counted in whole units of 256. The tables come on top, up to a fifth; entries of 10 KB make it 5 %. */
  readonly bytes: number
  /** Octets that one entry may have; at most half of `bytes`, and 1 GB. Default a quarter. */
  readonly entryBytesMax?: number
  /** How many threads use the store, the control thread included. */
  readonly threadsMax: number
  /** Entries there may be. Default one for each KB, at least 512, at most 8 million. */
  readonly entriesMax?: number
  /** Octets of one buffer of data, a power of two. Default and largest 1 GB. */
  readonly segmentBytes?: number
}

/** What one thread posts to the others. */
export interface SharedMemoryStore {
  readonly bytes: number
  readonly entryBytesMax: number
  readonly entriesMax: number
  readonly threadsMax: number
  readonly units: number
  readonly segmentUnits: number
  /** Wall clock when the store was made; claims count from here. */
  readonly epochMs: number
  readonly control: SharedArrayBuffer
  readonly entries: SharedArrayBuffer
  readonly buckets: SharedArrayBuffer
  readonly links: SharedArrayBuffer
  readonly marks: SharedArrayBuffer
  readonly ghosts: SharedArrayBuffer
  readonly bells: SharedArrayBuffer
  readonly pins: readonly SharedArrayBuffer[]
  readonly data: readonly SharedArrayBuffer[]
}

/** The buffers of a new store, all zero: `createMemoryStore` puts its free space in order. */
export function allocateShared(options: MemoryStoreOptions): SharedMemoryStore {
  const { bytes, threadsMax } = options
  assert(bytes >= BYTES_MIN && bytes <= BYTES_MAX, "a memory store has 64 KB to 64 GB")
  assert(options.entriesMax === undefined || options.entriesMax >= 1, "a memory store has an entry")
  assert(threadsMax >= 1 && threadsMax <= 1024, "a memory store has 1 to 1024 threads")
  const units = Math.floor(bytes / UNIT_BYTES)
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES_MAX
  assert(segmentBytes >= UNIT_BYTES && segmentBytes <= SEGMENT_BYTES_MAX && (segmentBytes & (segmentBytes - 1)) === 0, "a segment is a power of two")
  const segmentUnits = segmentBytes / UNIT_BYTES
  const entriesMax = Math.floor(Math.min(options.entriesMax ?? Math.max(bytes / 1024, 512), ENTRIES_CEILING))
  // the sets of the ghosts need four places at least
  const bucketCount = Math.max(2 ** Math.ceil(Math.log2(entriesMax)), 4)
  const data: SharedArrayBuffer[] = []
  for (let at = 0; at < units; at += segmentUnits) data.push(buffer(Math.min(segmentUnits, units - at) * UNIT_BYTES))
  return {
    bytes,
    entryBytesMax: Math.floor(Math.min(options.entryBytesMax ?? bytes / 4, bytes / 2, ENTRY_BYTES_CEILING)),
    entriesMax,
    threadsMax,
    units,
    segmentUnits,
    epochMs: Date.now(),
    control: buffer(CONTROL_WORDS * 4),
    entries: buffer((entriesMax + 1) << (ENTRY_SHIFT + 2)),
    buckets: buffer(bucketCount * 8),
    links: buffer(units * 8),
    marks: buffer(units),
    ghosts: buffer(bucketCount * 8),
    bells: buffer(threadsMax << (BELL_SHIFT + 2)),
    pins: Array.from({ length: threadsMax }, () => buffer((entriesMax + 1) * 4)),
    data,
  }
}

function buffer(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes)
  } catch (cause) {
    throw new Error(`there is no memory for the cache: ${bytes} octets were refused`, { cause })
  }
}

/** The views of one thread over the buffers. */
export class StoreMemory {
  readonly shared: SharedMemoryStore
  /** Number of this thread. */
  readonly self: number
  readonly control: Int32Array
  readonly counters: Float64Array
  readonly entries: Int32Array
  readonly buckets: Int32Array
  readonly links: Int32Array
  readonly marks: Uint8Array
  readonly ghosts: Int32Array
  readonly bells: Int32Array
  readonly pins: readonly Int32Array[]
  readonly data: readonly Uint8Array[]
  /** The same segments in words, lowest octet first as on every machine that the runtime knows. */
  readonly words: readonly Int32Array[]
  readonly segmentShift: number
  readonly segmentMask: number

  constructor(shared: SharedMemoryStore, self: number) {
    assert(self >= 0 && self < shared.threadsMax, "a thread has its number in the memory store")
    this.shared = shared
    this.self = self
    this.control = new Int32Array(shared.control)
    this.counters = new Float64Array(shared.control, COUNTERS_AT)
    this.entries = new Int32Array(shared.entries)
    this.buckets = new Int32Array(shared.buckets)
    this.links = new Int32Array(shared.links)
    this.marks = new Uint8Array(shared.marks)
    this.ghosts = new Int32Array(shared.ghosts)
    this.bells = new Int32Array(shared.bells)
    this.pins = shared.pins.map(row => new Int32Array(row))
    this.data = shared.data.map(segment => new Uint8Array(segment))
    this.words = shared.data.map(segment => new Int32Array(segment))
    this.segmentShift = Math.log2(shared.segmentUnits)
    this.segmentMask = shared.segmentUnits - 1
  }
}
