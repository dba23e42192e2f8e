/** What was asked, by its place. */
export interface Asked {
  readonly scheme: string
  readonly authority: string
  readonly target: string
  /** Requests in the log; a few less when there were too many URLs to count them all. */
  readonly requests: number
}

/** URLs that are counted at a time, and the characters of them. */
export const MOST_ASKED_URLS_MAX = 500_000
const CHARACTERS_MAX = 64 * 1024 ** 2

/**
 * Counts requests by URL, in bounded memory: when there are too many URLs, the half that was asked least is forgotten (lossy counting: a URL that is asked much
 * more often than those that are forgotten is never among them).
 */
export class MostAsked {
  private readonly urlsMax: number
  private counts = new Map<string, number>()
  private characters = 0

  constructor(urlsMax = MOST_ASKED_URLS_MAX) {
    this.urlsMax = urlsMax
  }

  /** Neither scheme nor authority holds a blank. */
  add(scheme: string, authority: string, target: string): void {
    const key = `${scheme} ${authority} ${target}`
    const before = this.counts.get(key)
    if (before === undefined) {
      if (this.counts.size >= this.urlsMax || this.characters + key.length > CHARACTERS_MAX) this.forget()
      this.characters += key.length
    }
    this.counts.set(key, (before ?? 0) + 1)
  }

  /** The `count` URLs that were asked most, the first the most. */
  top(count: number): Asked[] {
    return this.sorted()
      .slice(0, count)
      .map(([key, requests]) => {
        const first = key.indexOf(" ")
        const second = key.indexOf(" ", first + 1)
        return { scheme: key.slice(0, first), authority: key.slice(first + 1, second), target: key.slice(second + 1), requests }
      })
  }

  /** By requests; equal ones stand as they first came. */
  private sorted(): [string, number][] {
    return [...this.counts].sort((a, b) => b[1] - a[1])
  }

  private forget(): void {
    const kept = this.sorted().slice(0, this.counts.size >> 1)
    this.counts = new Map(kept)
    this.characters = kept.reduce((sum, [key]) => sum + key.length, 0)
  }
}
