import { CACHE_REASONS, type PassedUrl } from "../../cache/index.ts"

/** One line of the report of what is not stored. */
export interface UncacheableUrl extends PassedUrl {
  /** What would change it. */
  readonly meaning: string
  readonly remedy: string
}

/** The reports of all workers as one, the most asked for first. */
export function mergePassed(lists: readonly (readonly PassedUrl[])[], limit: number): UncacheableUrl[] {
  const all = new Map<string, PassedUrl>()
  for (const entry of lists.flat()) {
    const key = `${entry.reason} ${entry.route} ${entry.url}`
    const known = all.get(key)
    all.set(key, known === undefined ? entry : { ...entry, requests: known.requests + entry.requests, bytes: known.bytes + entry.bytes })
  }
  return [...all.values()]
    .sort((a, b) => b.requests - a.requests)
    .slice(0, limit)
    .map(entry => ({ ...entry, meaning: CACHE_REASONS[entry.reason]?.meaning ?? "", remedy: CACHE_REASONS[entry.reason]?.remedy ?? "" }))
}
