/** A URL whose answers were not stored. */
export interface PassedUrl {
  /** Without its query. */
  readonly url: string
  readonly route: string
  readonly reason: string
  readonly requests: number
  /** Octets of the bodies. */
  readonly bytes: number
}

interface Counted {
  readonly url: string
  readonly route: string
  readonly reason: string
  requests: number
  bytes: number
}

const URLS_MAX = 1024

/**
 * The URLs that go upstream most, in a bounded table: when it is full, whoever has the fewest makes room and hands its count on (Space-Saving, Metwally,
 * Agrawal, El Abbadi 2005), so that what is asked for often is never missed, and counts are at most too high by that of the least.
 */
export class PassedUrls {
  private readonly counted = new Map<string, Counted>()
  private readonly urlsMax: number

  constructor(urlsMax = URLS_MAX) {
    this.urlsMax = urlsMax
  }

  add(url: string, route: string, reason: string, bytes: number): void {
    const key = `${reason} ${route} ${url}`
    const known = this.counted.get(key)
    if (known !== undefined) {
      known.requests++
      known.bytes += bytes
      return
    }
    const before = this.counted.size >= this.urlsMax ? this.evict() : 0
    this.counted.set(key, { url, route, reason, requests: before + 1, bytes })
  }

  private evict(): number {
    let least = ""
    let requests = Infinity
    for (const [key, entry] of this.counted) {
      if (entry.requests >= requests) continue
      least = key
      requests = entry.requests
      if (requests <= 1) break
    }
    this.counted.delete(least)
    return requests
  }

  /** The most asked for, at most `limit`. */
  top(limit: number): PassedUrl[] {
    return [...this.counted.values()].sort((a, b) => b.requests - a.requests).slice(0, limit)
  }
}
