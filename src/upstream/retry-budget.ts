// HOT
import type { PeerStates } from "./peer-states.ts"

/** The window is 5 buckets of 2 s: what is asked about is the last 8 to 10 seconds. */
const BUCKETS = 5
const BUCKET_TENTHS = 20
/** Words of a bucket: number of its 2 s since the epoch, requests, retries. 15 words of the slot; those of retries are the first line's, behind the count of requests in flight. */
const BUCKET_WORDS = 3
/** Retries that are always allowed: 3 a second. */
const FLOOR = 30
/** Requests that a worker counts for itself before it tells the others: one shared write in 16 requests. */
const UNTOLD_MAX = 16

/**
 * Bounds the retries of a cluster to a share of its requests, over all workers: a cluster in trouble must not get a second load of retries.
 * Its counts live in a slot of the peer states that belongs to the cluster (key `cluster|`).
 */
export class RetryBudget {
  private readonly states: PeerStates
  private readonly base: number
  private readonly share: number
  private readonly floor: number
  private untold = 0
  /** What `sum` found. */
  private requests = 0
  private retries = 0

  /** `share` of 0.2 allows one retry for five requests. `word`: where in the slot it counts; `floor`: what is allowed in any case in the window. */
  constructor(states: PeerStates, slot: number, share: number, { word = 1, floor = FLOOR }: { word?: number; floor?: number } = {}) {
    this.states = states
    this.base = states.wordOf(slot) + word
    this.share = share
    this.floor = floor
  }

  /** A request has come in; its retries are not requests. */
  onRequest(): void {
    if (++this.untold >= UNTOLD_MAX) this.tell(this.currentBucket())
  }

  /** Takes one retry from the budget; false when it is spent. */
  tryRetry(): boolean {
    const bucket = this.currentBucket()
    this.tell(bucket)
    this.sum()
    const allowed = this.requests * this.share
    if (this.retries >= (allowed > this.floor ? allowed : this.floor)) return false
    Atomics.add(this.states.words, bucket + 2, 1)
    return true
  }

  /** What the window holds, for the status. */
  spent(): { requests: number; retries: number } {
    this.sum()
    return { requests: this.requests, retries: this.retries }
  }

  private sum(): void {
    const { words } = this.states
    const oldest = Math.floor(this.states.now() / BUCKET_TENTHS) - BUCKETS
    let requests = 0
    let retries = 0
    for (let at = this.base; at < this.base + BUCKETS * BUCKET_WORDS; at += BUCKET_WORDS) {
      if (Atomics.load(words, at) <= oldest) continue
      requests += Atomics.load(words, at + 1)
      retries += Atomics.load(words, at + 2)
    }
    this.requests = requests
    this.retries = retries
  }

  private tell(bucket: number): void {
    Atomics.add(this.states.words, bucket + 1, this.untold)
    this.untold = 0
  }

  /** Index of the first word of the bucket for this moment. The first to come clears what was there 10 s ago; a count in that instant may be lost. */
  private currentBucket(): number {
    const { words } = this.states
    const number = Math.floor(this.states.now() / BUCKET_TENTHS)
    const bucket = this.base + (number % BUCKETS) * BUCKET_WORDS
    const seen = Atomics.load(words, bucket)
    if (seen !== number && Atomics.compareExchange(words, bucket, seen, number) === seen) {
      Atomics.store(words, bucket + 1, 0)
      Atomics.store(words, bucket + 2, 0)
    }
    return bucket
  }
}
