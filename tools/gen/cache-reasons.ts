/** A word of `cacheReason`, as `CACHE_REASONS` has it. */
interface ReasonText {
  readonly meaning: string
  readonly remedy: string
}

/** docs/cache-reasons.md, from the cache's table of reasons. */
export function renderCacheReasons(reasons: Readonly<Record<string, ReasonText>>): string {
  const rows = Object.entries(reasons).map(([word, { meaning, remedy }]) => `| \`${word}\` | ${cell(meaning)} | ${cell(remedy)} |`)
  return [
    "# Why an answer did not come from the cache",
    "",
    "The word is the access log's `cacheReason`, `detail` in Cache-Status, and what `bothways cache report` and `bothways cache list` show. More of the cache: [cache.md](cache.md).",
    "",
    "| word | meaning | what to do |",
    "|---|---|---|",
    ...rows,
    "",
    "Written by `npm run gen` from `src/cache/reasons.ts`.",
    "",
  ].join("\n")
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|")
}
