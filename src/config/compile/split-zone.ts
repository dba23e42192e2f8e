// HOT
import { hashString } from "../../base/index.ts"
import { ARMS_MAX, type SplitConfig } from "../schema/split.ts"

/** Places and shares are whole parts of this: a share of 0 gets nothing and one of SHARE_ONE everything, exactly. */
export const SHARE_ONE = 2 ** 30

/** Doublings of the time to an answer's head, from FASTEST_MS, and buckets for each of them. */
const FASTEST_MS = 0.25
const PER_DOUBLING = 8
export const LATENCY_BUCKETS = 18 * PER_DOUBLING + 1

/** Words of an arm. */
const REQUESTS = 0
const FAILURES = 1
const FORCED = 2
const LATENCY = 3
const ARM_WORDS = LATENCY + LATENCY_BUCKETS
/** Words before the arms' counts: the next place, and the live share of each arm. */
const TURN = 0
const SHARES = 1
const HEAD_WORDS = SHARES + ARMS_MAX

/** 2^32 divided by the golden ratio: multiples of it fill the circle as evenly as any sequence does (Weyl; Knuth, volume 3, section 6.4). */
const GOLDEN = 0x9e3779b9

/**
 * The memory of one split, which all workers and the control thread share. Workers count in it with atomic additions, so that one that dies takes nothing with it and
 * leaves no lock. Counts wrap at 2^32; whoever reads takes differences.
 *
 *   | turn | share of arm 0 + 1 | … of arm 7 + 1 | requests, failures, forced, latency buckets of arm 0 | … of arm 7 |
 *
 * A share of 0 there means that the config's counts: memory begins with zeroes.
 */
export class SplitZone {
  private readonly words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory)
  }

  /** Key and size of the memory. Other arms or weights get another one: what the config says counts again. */
  static memoryOf(route: string, { arms }: SplitConfig): { readonly key: string; readonly bytes: number } {
    let said = ""
    for (let i = 0; i < arms.length; i++) said += `${arms[i]!.name}\n${arms[i]!.cluster}\n${arms[i]!.weight}\n`
    return { key: `split:${route}:${hashString(said).toString(16)}`, bytes: (HEAD_WORDS + ARMS_MAX * ARM_WORDS) * 4 }
  }

  /** The next place, from 0 up to SHARE_ONE, for a request that has none of its own. After n of them an interval has its share of them, give or take a few. */
  nextPlace(): number {
    return Math.imul(Atomics.add(this.words, TURN, 1), GOLDEN) >>> 2
  }

  /** What commands have set, -1 = nothing: the config's share counts. */
  shareOf(arm: number): number {
    return Atomics.load(this.words, SHARES + arm) - 1
  }

  /** From the next request on, in all workers. -1 = the config's. */
  setShare(arm: number, share: number): void {
    Atomics.store(this.words, SHARES + arm, share + 1)
  }

  /** An arm has answered, or failed to, after `ms`. */
  count(arm: number, ms: number, failed: boolean): void {
    const at = HEAD_WORDS + arm * ARM_WORDS
    Atomics.add(this.words, at + REQUESTS, 1)
    if (failed) Atomics.add(this.words, at + FAILURES, 1)
    Atomics.add(this.words, at + LATENCY + bucketOf(ms), 1)
  }

  /** A request that was sent to this arm whatever its share: it is no fair sample. */
  countForced(arm: number): void {
    Atomics.add(this.words, HEAD_WORDS + arm * ARM_WORDS + FORCED, 1)
  }

  /** The counts of an arm now. */
  read(arm: number): ArmCounts {
    const at = HEAD_WORDS + arm * ARM_WORDS
    const { words } = this
    const latency = new Uint32Array(LATENCY_BUCKETS)
    for (let i = 0; i < LATENCY_BUCKETS; i++) latency[i] = Atomics.load(words, at + LATENCY + i) >>> 0
    return {
      requests: Atomics.load(words, at + REQUESTS) >>> 0,
      failures: Atomics.load(words, at + FAILURES) >>> 0,
      forced: Atomics.load(words, at + FORCED) >>> 0,
      latency,
    }
  }
}

/** Counts of one arm; wrapping at 2^32 as they stand in memory, plain numbers as differences. */
export interface ArmCounts {
  /** Those that weight or stickiness sent here. */
  readonly requests: number
  /** Of these: 5xx, and faults of the upstream side. */
  readonly failures: number
  readonly forced: number
  /** By bucket: time from sending to the head of the answer, or all of the time without one. */
  readonly latency: Uint32Array
}

function bucketOf(ms: number): number {
  if (!(ms > FASTEST_MS)) return 0
  const bucket = Math.ceil(Math.log2(ms / FASTEST_MS) * PER_DOUBLING)
  return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1
}

/** The longest time, in milliseconds, that falls into a bucket. */
export function bucketEndMs(bucket: number): number {
  return FASTEST_MS * 2 ** (bucket / PER_DOUBLING)
}

/** How many buckets on a time stands that is `ratio` times as long; whole buckets, upwards. */
export function bucketsFor(ratio: number): number {
  return Math.max(0, Math.ceil(Math.log2(ratio) * PER_DOUBLING - 1e-9))
}
