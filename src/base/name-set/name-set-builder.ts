import { randomBytes } from "node:crypto"
import { NameHash } from "./name-hash.ts"
import { KIND_BITS, NAME_SET, NAME_SET_MAGIC } from "./name-set.ts"

/** Entries of one piece of memory while names are added. */
const PIECE_ENTRIES = 65_536
/** Entries that are put into the table between two stops. */
const SLICE_ENTRIES = 32_768
/** Share of the slots that are taken. Linear probing looks at two slots for a name that is in, at six for one that is not. */
const LOAD = 0.7
/** What memory that is used again may come to: a list grows and shrinks a little with each version. */
const LOAD_MAX = 0.78
const LOAD_MIN = 0.4
const BIT_32 = 4_294_967_296

/** Puts a set of names together: first all names, then the table, which has just the size that they need. */
export class NameSetBuilder {
  /** Names that were added, the same ones more than once. */
  added = 0
  private readonly seedA: number
  private readonly seedB: number
  private readonly hash: NameHash
  private readonly pieces: Uint32Array[] = []
  private piece = new Uint32Array(0)
  private at = 0

  /** `seed`: two numbers of 32 bits; default: random. */
  constructor(seed: readonly [number, number] = randomSeed()) {
    this.seedA = seed[0] >>> 0
    this.seedB = seed[1] >>> 0
    this.hash = new NameHash(this.seedA, this.seedB)
  }

  /** Adds the name that stands in `text` from `from` up to `to`; letters may be large. `kinds`: bits such as NAME_TREE, at least one. */
  add(text: string, from: number, to: number, kinds: number): void {
    const { hash } = this
    hash.begin()
    for (let i = to - 1; i >= from; i--) {
      const code = text.charCodeAt(i)
      hash.step(code >= 65 && code <= 90 ? code | 32 : code)
    }
    hash.finish()
    if (this.at === this.piece.length) {
      this.piece = new Uint32Array(PIECE_ENTRIES * 2)
      this.pieces.push(this.piece)
      this.at = 0
    }
    this.piece[this.at++] = hash.high
    this.piece[this.at++] = (hash.low & ~KIND_BITS) | kinds
    this.added++
  }

  /** The memory of a `NameSet`. The names are gone from here afterwards. */
  build(): SharedArrayBuffer {
    const slices = this.slices()
    for (;;) {
      const step = slices.next()
      if (step.done === true) return step.value
    }
  }

  /**
   * The same, with a stop whenever a few milliseconds of work are done. `spare`: memory of a set that nobody looks into any more; it is used again where it fits,
   * since memory that threads share goes back to the system late.
   */
  *slices(spare: SharedArrayBuffer | null = null): Generator<void, SharedArrayBuffer> {
    const pieces = this.pieces.splice(0)
    if (pieces.length > 0) pieces[pieces.length - 1] = this.piece.subarray(0, this.at)
    this.piece = new Uint32Array(0)
    this.at = 0
    const fits = spare !== null && bytesFor(this.added / LOAD_MAX) <= spare.byteLength && spare.byteLength <= bytesFor(this.added / LOAD_MIN)
    const table = yield* this.fill(new Uint32Array(fits ? spare : newMemory(this.added)), pieces)
    const names = table[NAME_SET.names]!
    // Lists with many names twice would keep memory for nothing.
    const whole = fits || names > this.added * 0.8 ? table : yield* this.fill(new Uint32Array(newMemory(names)), [entriesOf(table)])
    return whole.buffer
  }

  private *fill(table: Uint32Array<SharedArrayBuffer>, pieces: readonly Uint32Array[]): Generator<void, Uint32Array<SharedArrayBuffer>> {
    table.fill(0)
    table[NAME_SET.magic] = NAME_SET_MAGIC
    table[NAME_SET.slots] = (table.length - NAME_SET.headWords) / 2
    table[NAME_SET.seedA] = this.seedA
    table[NAME_SET.seedB] = this.seedB
    for (const piece of pieces) {
      for (let i = 0; i < piece.length; i += SLICE_ENTRIES * 2) {
        insert(table, piece.subarray(i, i + SLICE_ENTRIES * 2))
        yield
      }
    }
    return table
  }
}

function bytesFor(slots: number): number {
  return (NAME_SET.headWords + (Math.ceil(slots) + 2) * 2) * 4
}

function newMemory(names: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytesFor(names / LOAD))
}

/** Puts entries into the table; those that have their hash already add their kinds. Free ones among them are left out. */
function insert(table: Uint32Array, entries: Uint32Array): void {
  const slots = table[NAME_SET.slots]!
  let names = table[NAME_SET.names]!
  for (let i = 0; i < entries.length; i += 2) {
    const high = entries[i]!
    const low = entries[i + 1]!
    if (low === 0) continue
    let slot = Math.floor((high * slots) / BIT_32)
    for (;;) {
      const at = NAME_SET.headWords + slot * 2
      const second = table[at + 1]!
      if (second === 0) {
        table[at] = high
        table[at + 1] = low
        names++
        break
      }
      if (table[at] === high && ((second ^ low) & ~KIND_BITS) === 0) {
        table[at + 1] = second | (low & KIND_BITS)
        break
      }
      if (++slot === slots) slot = 0
    }
  }
  table[NAME_SET.names] = names
}

function entriesOf(table: Uint32Array): Uint32Array {
  return table.subarray(NAME_SET.headWords)
}

function randomSeed(): [number, number] {
  const octets = randomBytes(8)
  return [octets.readUInt32LE(0), octets.readUInt32LE(4)]
}
