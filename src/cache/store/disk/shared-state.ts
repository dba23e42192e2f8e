import { assert, hashString } from "../../../base/index.ts"
import { Key } from "../key.ts"
import { DISK_COUNTS, type DiskCount, type DiskSettings, type DiskState, TAIL_FAILED, TAIL_GROWING } from "./disk-contract.ts"
import { keyTableBytes } from "./key-table.ts"

/** Bits of the flags: what workers may not do for now, and what they may rely on. */
export const NO_LOOKUPS = 1
export const NO_WRITES = 2
/** The table of keys is complete. */
export const KEYS_KNOWN = 4
export const CLOSED = 8
/** Nothing new is written any more; what is being written goes on. */
export const ENDING = 16

const STATES: readonly DiskState[] = ["opening", "loading", "scanning", "ready", "away", "closed"]

// Words of the head.
const FLAGS = 0
const STATE = 1
const EPOCH = 2
const PROBE = 3
const HEAD_WORDS = 16
/** Numbers that the keeper alone writes. */
const NUMBERS = ["entries", "bytes", "reserved", "writers"] as const
export type DiskNumber = (typeof NUMBERS)[number]

/** Words of a writer's progress: its generation and state, the version in two, one to spare, then `written` as 64 bits. */
const PROGRESS_WORDS = 6
const WRITTEN_LONG = 2
const GENERATION_MASK = 0x3fff_ffff
/** State of a writer, beside those of a tail: its file is not there yet. */
export const NOT_CREATED = 3

/**
 * The memory that control thread, keeper and workers have in common:
 * head | counts | numbers | progress of writers | files that are open, by worker | table of keys.
 */
export class SharedState {
  readonly buffer: SharedArrayBuffer
  readonly keyWords: Uint32Array
  private readonly settings: DiskSettings
  private readonly head: Int32Array
  private readonly countCells: BigInt64Array
  private readonly numberCells: Float64Array
  private readonly progressWords: Int32Array
  private readonly progressLongs: BigInt64Array
  private readonly openFiles: Int32Array

  constructor(settings: DiskSettings, buffer: SharedArrayBuffer | null) {
    const places = layOut(settings)
    this.settings = settings
    this.buffer = buffer ?? new SharedArrayBuffer(places.end)
    assert(this.buffer.byteLength === places.end, "the shared memory is that of these settings")
    this.head = new Int32Array(this.buffer, 0, HEAD_WORDS)
    this.countCells = new BigInt64Array(this.buffer, places.counts, DISK_COUNTS.length)
    this.numberCells = new Float64Array(this.buffer, places.numbers, NUMBERS.length)
    this.progressWords = new Int32Array(this.buffer, places.progress, settings.workersMax * settings.writersMax * PROGRESS_WORDS)
    this.progressLongs = new BigInt64Array(this.buffer, places.progress, (settings.workersMax * settings.writersMax * PROGRESS_WORDS) / 2)
    this.openFiles = new Int32Array(this.buffer, places.openFiles, settings.workersMax * settings.readersMax)
    this.keyWords = new Uint32Array(this.buffer, places.keys)
    if (buffer === null) this.head[PROBE] = seedProbe()
  }

  /** Whether this thread hashes keys with the seed of the thread that made this. */
  hasSeed(): boolean {
    return this.head[PROBE] === seedProbe()
  }

  /** Whether this is the seed that keys are hashed with. */
  hasKeySeed(seed: number): boolean {
    return this.head[PROBE] === (hashString(PROBE_TEXT, seed) | 0)
  }

  flags(): number {
    return Atomics.load(this.head, FLAGS)
  }

  setFlags(bits: number): void {
    Atomics.or(this.head, FLAGS, bits)
  }

  clearFlags(bits: number): void {
    Atomics.and(this.head, FLAGS, ~bits)
  }

  state(): DiskState {
    return STATES[Atomics.load(this.head, STATE)]!
  }

  setState(state: DiskState): void {
    Atomics.store(this.head, STATE, STATES.indexOf(state))
  }

  /** Purges so far. A writer that began in an earlier epoch than a purge's own is doomed by it. */
  epoch(): number {
    return Atomics.load(this.head, EPOCH)
  }

  /** A purge begins: its epoch. */
  nextEpoch(): number {
    return (Atomics.add(this.head, EPOCH, 1) + 1) | 0
  }

  count(what: DiskCount, by = 1): void {
    Atomics.add(this.countCells, DISK_COUNTS.indexOf(what), BigInt(by))
  }

  counts(): Record<DiskCount, number> {
    const counts = {} as Record<DiskCount, number>
    for (const [at, what] of DISK_COUNTS.entries()) counts[what] = Number(Atomics.load(this.countCells, at))
    return counts
  }

  number(what: DiskNumber): number {
    return this.numberCells[NUMBERS.indexOf(what)]!
  }

  setNumber(what: DiskNumber, to: number): void {
    this.numberCells[NUMBERS.indexOf(what)] = to
  }

  /** A writer takes a place. Answers its generation. */
  beginProgress(place: number, version: number): number {
    const at = place * PROGRESS_WORDS
    const generation = ((Atomics.load(this.progressWords, at) >> 2) + 1) & GENERATION_MASK
    Atomics.store(this.progressWords, at, (generation << 2) | NOT_CREATED)
    Atomics.store(this.progressWords, at + 1, version | 0)
    Atomics.store(this.progressWords, at + 2, Math.floor(version / 4_294_967_296))
    this.setWritten(place, 0)
    return generation
  }

  setProgress(place: number, generation: number, state: number): void {
    Atomics.store(this.progressWords, place * PROGRESS_WORDS, (generation << 2) | state)
  }

  setWritten(place: number, written: number): void {
    Atomics.store(this.progressLongs, place * (PROGRESS_WORDS / 2) + WRITTEN_LONG, BigInt(written))
  }

  /** State of the writer that has this place; -1 = it is another one by now. */
  progress(place: number, generation: number): number {
    const word = Atomics.load(this.progressWords, place * PROGRESS_WORDS)
    return ((word >> 2) & GENERATION_MASK) === generation ? word & 3 : -1
  }

  /** The worker with this number is gone: whoever follows its writers waits in vain. */
  failProgress(self: number): void {
    const first = self * this.settings.writersMax
    for (let place = first; place < first + this.settings.writersMax; place++) {
      const word = Atomics.load(this.progressWords, place * PROGRESS_WORDS)
      const state = word & 3
      if (state === TAIL_GROWING || state === NOT_CREATED) Atomics.store(this.progressWords, place * PROGRESS_WORDS, (word & ~3) | TAIL_FAILED)
    }
  }

  /** Version of the body that the writer in this place writes. */
  progressVersion(place: number): number {
    const at = place * PROGRESS_WORDS
    return Atomics.load(this.progressWords, at + 2) * 4_294_967_296 + (Atomics.load(this.progressWords, at + 1) >>> 0)
  }

  written(place: number): number {
    return Number(Atomics.load(this.progressLongs, place * (PROGRESS_WORDS / 2) + WRITTEN_LONG))
  }

  /** A worker has this file open; so that it is closed when the worker dies. */
  noteOpen(self: number, reader: number, fd: number): void {
    Atomics.store(this.openFiles, self * this.settings.readersMax + reader, fd + 1)
  }

  /** Before it closes it. */
  noteClosed(self: number, reader: number): void {
    Atomics.store(this.openFiles, self * this.settings.readersMax + reader, 0)
  }

  /** What a worker that is gone had open; forgotten by this. */
  takeOpen(self: number): number[] {
    const open: number[] = []
    for (let reader = 0; reader < this.settings.readersMax; reader++) {
      const fd = Atomics.exchange(this.openFiles, self * this.settings.readersMax + reader, 0) - 1
      if (fd >= 0) open.push(fd)
    }
    return open
  }
}

const PROBE_TEXT = "disk store"

function seedProbe(): number {
  return new Key(PROBE_TEXT, "").hash | 0
}

function layOut(settings: DiskSettings): { counts: number; numbers: number; progress: number; openFiles: number; keys: number; end: number } {
  const counts = HEAD_WORDS * 4
  const numbers = counts + DISK_COUNTS.length * 8
  const progress = numbers + NUMBERS.length * 8
  const openFiles = progress + settings.workersMax * settings.writersMax * PROGRESS_WORDS * 4
  const keys = Math.ceil((openFiles + settings.workersMax * settings.readersMax * 4) / 64) * 64
  return { counts, numbers, progress, openFiles, keys, end: keys + keyTableBytes(settings.entriesMax) }
}
