import { S3Fifo } from "./s3-fifo.ts"
import { highHash, lowHash, UrlTable } from "./url-table.ts"

/** What an entry costs beside its body: head, key and book-keeping. An estimate; a response head has 300 to 600 octets. */
export const ENTRY_OVERHEAD_BYTES = 512
/** URLs that are followed at a time, unless the caller says otherwise: with 13 cache sizes at most 160 MB, and less for a log with fewer. */
export const SIZING_OBJECTS_MAX = 2 ** 20
/** Share of a cache that one entry may have: the memory store's default. */
const ENTRY_SHARE_MAX = 0.25
/** With fewer entries in the simulated share of a cache, its hit ratio was off by up to 5 points; with more, by 1. */
const ROUGH_BELOW_ENTRIES = 1000

export interface SizingOptions {
  /** Octets of the caches to try, in any order. */
  readonly capacities: readonly number[]
  /** URLs followed at a time; above, a sample is. */
  readonly objectsMax?: number
}

/** What one cache would have done. */
export interface SizingRow {
  readonly capacity: number
  /** Share of the requests that it would have answered. */
  readonly hitRatio: number
  /** Share of the octets that it would have sent. */
  readonly octetHitRatio: number
  /** Entries that it would have at the end. */
  readonly entries: number
  /** True = the sample has too few entries in a cache this small. */
  readonly rough: boolean
}

export interface SizingReport {
  readonly requests: number
  readonly octets: number
  /** How many different URLs there were, and the octets of all of them; estimated when `share` is below 1. */
  readonly urls: number
  readonly footprint: number
  /** Share of the URLs that were asked for once. */
  readonly askedOnce: number
  /** Share of the URLs that were followed; 1 = all. */
  readonly share: number
  readonly rows: readonly SizingRow[]
  /** A cache without end, which misses what was never asked before. */
  readonly unlimited: { readonly hitRatio: number; readonly octetHitRatio: number }
}

/** Hits of one cache, those of the sample multiplied to stand for all. */
interface Tally {
  requests: number
  octets: number
}

/**
 * Says what hit ratio caches of several sizes would have had for a row of requests, all in one pass and in memory that does not grow with it. Each size is
 * simulated with the eviction of the memory store. With more URLs than `objectsMax`, a share of the URLs is followed in caches of that share of
 * their size ("miniature simulation", Waldspurger and others, USENIX ATC 2017). Every cache starts empty, and what it keeps stays fresh.
 */
export class CacheSizing {
  private readonly table: UrlTable
  private readonly capacities: readonly number[]
  private readonly caches: readonly S3Fifo[]
  private readonly hits: readonly Tally[]
  private readonly known: Tally = { requests: 0, octets: 0 }
  private readonly sampled: Tally = { requests: 0, octets: 0 }
  private readonly all: Tally = { requests: 0, octets: 0 }

  constructor({ capacities, objectsMax = SIZING_OBJECTS_MAX }: SizingOptions) {
    this.table = new UrlTable(objectsMax)
    this.capacities = [...new Set(capacities)].sort((a, b) => a - b)
    this.caches = this.capacities.map(capacity => new S3Fifo({ capacity, entryBytesMax: capacity * ENTRY_SHARE_MAX, bySize: true }, this.table.sizes))
    this.hits = this.capacities.map(() => ({ requests: 0, octets: 0 }))
  }

  /** A request that was answered with `bytes` octets of body. `whole` false: the body is larger than that, or was not sent at all (304). */
  add(url: string, bytes: number, whole: boolean): void {
    this.all.requests++
    this.all.octets += bytes
    const high = highHash(url)
    if (!this.table.has(high)) return
    const weight = 1 / this.table.share
    note(this.sampled, weight, bytes)
    const low = lowHash(url)
    const id = this.table.find(low, high)
    if (id >= 0) this.again(id, bytes, whole)
    else if (whole || bytes > 0) this.first(low, high, bytes)
  }

  report(): SizingReport {
    const { share } = this.table
    return {
      requests: this.all.requests,
      octets: this.all.octets,
      urls: Math.round(this.table.count / share),
      footprint: Math.round((this.table.bytes - this.table.count * ENTRY_OVERHEAD_BYTES) / share),
      askedOnce: this.table.count === 0 ? 0 : this.table.askedOnce / this.table.count,
      share,
      rows: this.capacities.map((capacity, i) => this.row(capacity, i)),
      unlimited: this.ratios(this.known),
    }
  }

  private row(capacity: number, i: number): SizingRow {
    const { share } = this.table
    const { entries } = this.caches[i]!
    const rough = share < 1 && entries < ROUGH_BELOW_ENTRIES
    return { capacity, ...this.ratios(this.hits[i]!), entries: Math.round(entries / share), rough }
  }

  private again(id: number, bytes: number, whole: boolean): void {
    const weight = 1 / this.table.share
    const before = this.table.sizes[id]!
    const size = bytes + ENTRY_OVERHEAD_BYTES
    if (whole ? size !== before : size > before) {
      this.table.sizes[id] = size
      for (const cache of this.caches) cache.resize(id, size - before)
    }
    this.table.noteRequest(id)
    note(this.known, weight, bytes)
    for (let i = 0; i < this.caches.length; i++) if (this.caches[i]!.request(id)) note(this.hits[i]!, weight, bytes)
  }

  private first(low: number, high: number, bytes: number): void {
    while (this.table.isFull) this.halve()
    if (!this.table.has(high)) return
    const id = this.table.add(low, high, bytes + ENTRY_OVERHEAD_BYTES)
    this.table.noteRequest(id)
    for (const cache of this.caches) cache.request(id)
  }

  private halve(): void {
    const renamed = this.table.halve()
    for (const [i, cache] of this.caches.entries()) {
      const capacity = this.capacities[i]! * this.table.share
      cache.renumber(renamed, capacity, Math.min(this.capacities[i]! * ENTRY_SHARE_MAX, capacity))
    }
  }

  /** What the sample has too few or too many of are requests for the few URLs that are asked most, and these are hits (the correction of SHARDS-adj). */
  private ratios(hits: Tally): { hitRatio: number; octetHitRatio: number } {
    const { all, sampled } = this
    return {
      hitRatio: ratio(hits.requests + all.requests - sampled.requests, all.requests),
      octetHitRatio: ratio(hits.octets + all.octets - sampled.octets, all.octets),
    }
  }
}

function note(tally: Tally, weight: number, bytes: number): void {
  tally.requests += weight
  tally.octets += weight * bytes
}

function ratio(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(1, Math.max(0, part / whole))
}
