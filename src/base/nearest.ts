/** The word of `words` that `typed` was most likely meant to be, by edit distance; null when none is near. */
export function nearest(typed: string, words: readonly string[]): string | null {
  const wanted = typed.toLowerCase()
  let best: string | null = null
  // One slip in three letters: "lisen" finds "listen", "foo" does not find "via".
  let limit = Math.max(1, Math.floor(typed.length / 3)) + 1
  for (const word of words) {
    const distance = editDistance(wanted, word.toLowerCase(), limit)
    if (distance >= limit) continue
    limit = distance
    best = word
  }
  return best ?? sameLetters(wanted, words)
}

// `least_requests`, `leastRequests` and `least-requests` differ only in how the words are joined.
function sameLetters(wanted: string, words: readonly string[]): string | null {
  const bare = lettersOf(wanted)
  return bare === "" ? null : (words.find(word => lettersOf(word) === bare) ?? null)
}

function lettersOf(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, "")
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment) between `a` and `b`; at least `limit` when they are that far apart. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, before[j - 2]! + 1)
      current[j] = cost
    }
    before = previous
    previous = current
  }
  return Math.min(limit, previous[b.length]!)
}
