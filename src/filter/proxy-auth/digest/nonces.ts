import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { KeyedTable, KIND_METER, type TableShape } from "../../../base/index.ts"
import type { FilterDeps } from "../../../plugin/index.ts"

const TIME_OCTETS = 6
const SEED_OCTETS = 16
const NONCE_OCTETS = 32
/** Clocks of workers, or of the machine before it was set, may be ahead by this. */
const AHEAD_MS = 10_000

const KEY_WORDS = 8

/** Word 1: the highest count so far; words 2 to 15: which of the counts up to it have come, the highest one in the lowest bit. */
const HIGHEST = 1
const WINDOW = 2
const WINDOW_WORDS = 14
const WINDOW_BITS = WINDOW_WORDS * 32

/** What a nonce is worth: `known` when it was used before, with a right answer. */
export type NonceAge = "fresh" | "known" | "old"

/**
 * Nonces of the scheme Digest, over all workers. A nonce says when it was made and carries a code that only we can make, so that those of clients that never
 * come back cost nothing; the counts (nc) of those that were answered rightly stand in shared memory, and no count is taken twice. Counts may come out of
 * order, as those of a browser with six connections do: 448 of them are kept track of.
 */
export class Nonces {
  private readonly lifeMs: number
  private readonly key: Buffer
  private readonly table: KeyedTable

  constructor(lifeMs: number, noncesMax: number, deps: Pick<FilterDeps, "place" | "shared">) {
    this.lifeMs = lifeMs
    this.key = sharedKey(deps.shared(`${deps.place}/digest-key`, KEY_WORDS * 4))
    const shape: TableShape = { keysMax: noncesMax, valueWords: 16, kind: KIND_METER }
    this.table = new KeyedTable(deps.shared(`${deps.place}/digest-nonces`, KeyedTable.bytes(shape)), shape)
  }

  /** A new one; base64url. */
  make(nowMs: number): string {
    const seed = randomBytes(SEED_OCTETS)
    seed.writeUIntBE(Math.floor(nowMs), 0, TIME_OCTETS)
    return Buffer.concat([seed, this.codeOf(seed)]).toString("base64url")
  }

  /** Old are those that ran out, and those that we, as we are now, have not made. */
  ageOf(nonce: string, nowMs: number): NonceAge {
    const octets = Buffer.from(nonce, "base64url")
    if (octets.length !== NONCE_OCTETS || octets.toString("base64url") !== nonce) return "old"
    const seed = octets.subarray(0, SEED_OCTETS)
    if (!timingSafeEqual(this.codeOf(seed), octets.subarray(SEED_OCTETS))) return "old"
    const age = nowMs - seed.readUIntBE(0, TIME_OCTETS)
    if (age > this.lifeMs || age < -AHEAD_MS) return "old"
    const base = this.table.find(nonce)
    this.table.leave()
    return base === -1 ? "fresh" : "known"
  }

  /** Takes a count of a nonce that is not old, once its answer has proved right. False = it was there before, or may have been. */
  use(nonce: string, count: number): boolean {
    if (count < 1) return false
    const { table } = this
    const base = table.enter(nonce)
    // Without a record the nonce is new, and then this must be its first use: a record may have made room for others.
    const taken = table.isNew ? count === 1 && this.advance(base, 1) : this.take(base, count)
    if (table.isNew && !taken) table.drop()
    table.leave()
    return taken
  }

  private take(base: number, count: number): boolean {
    const { words } = this.table
    const highest = words[base + HIGHEST]! >>> 0
    if (count > highest) return this.advance(base, count - highest)
    const age = highest - count
    if (age >= WINDOW_BITS) return false
    const at = base + WINDOW + (age >>> 5)
    const bit = 1 << (age & 31)
    if ((words[at]! & bit) !== 0) return false
    words[at] = words[at]! | bit
    return true
  }

  /** The highest count grows by so much: what came before moves up in the window. */
  private advance(base: number, by: number): boolean {
    const { words } = this.table
    const first = base + WINDOW
    const whole = by >>> 5
    const part = by & 31
    for (let i = WINDOW_WORDS - 1; i >= 0; i--) {
      const low = i - whole >= 0 ? words[first + i - whole]! : 0
      const lower = part !== 0 && i - whole - 1 >= 0 ? words[first + i - whole - 1]! >>> (32 - part) : 0
      words[first + i] = (low << part) | lower
    }
    words[first] = words[first]! | 1
    words[base + HIGHEST] = ((words[base + HIGHEST]! >>> 0) + by) | 0
    return true
  }

  private codeOf(seed: Buffer): Buffer {
    return createHmac("sha256", this.key)
      .update(seed)
      .digest()
      .subarray(0, NONCE_OCTETS - SEED_OCTETS)
  }
}

/** A secret of all workers: whoever comes first decides, word by word, so that no thread can die in the middle of it. */
function sharedKey(memory: SharedArrayBuffer): Buffer {
  const words = new Int32Array(memory)
  const mine = crypto.getRandomValues(new Int32Array(KEY_WORDS))
  for (let i = 0; i < KEY_WORDS; i++) Atomics.compareExchange(words, i, 0, mine[i]! | 1)
  return Buffer.from(new Uint8Array(memory.slice(0)))
}
