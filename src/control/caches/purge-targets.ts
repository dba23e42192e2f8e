import type { PurgeTarget } from "../../cache/index.ts"

/** How a route's cache sees the query of a URL; null = as it is. */
export type QueryView = ((query: string) => string) | null

/** What a purge or a look at entries names: exactly one of these. */
export const TARGET_WORDS = ["url", "prefix", "host", "tag", "all"] as const

/** Reads what is named. A string says what is wrong. `views` are those of the routes: an entry is stored under the URL as its route sees it. */
export function targetsOf(query: URLSearchParams, views: readonly QueryView[]): PurgeTarget[] | string {
  const given = TARGET_WORDS.filter(word => query.has(word))
  if (given.length !== 1) return `expected exactly one of ${TARGET_WORDS.join(", ")}`
  const word = given[0]!
  const value = query.get(word)!
  if (word === "all") return value === "true" ? [{ by: "all" }] : "all: expected true"
  if (value === "") return `${word}: expected a value`
  if (word === "tag") return [{ by: "label", label: Buffer.from(value, "utf8").toString("latin1") }]
  if (word === "host") return hostTargets(value)
  const url = normalised(value)
  if (url === null) return `${word}: expected a URL such as https://shop.example/images/a.png`
  if (word === "prefix") return [{ by: "prefix", prefix: url.base + url.path + url.query }]
  const groups = new Set(
    [url.query, ...views.map(view => (view === null || url.query === "" ? url.query : view(url.query)))].map(text => url.base + url.path + text),
  )
  return [...groups].map(group => ({ by: "group", group }))
}

function hostTargets(value: string): PurgeTarget[] | string {
  const host = value.toLowerCase()
  if (!/^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/.test(host)) return "host: expected a name such as shop.example, with :port or without"
  const ends = /:\d+$/.test(host) ? ["/"] : ["/", ":"]
  return ["http", "https"].flatMap(scheme => ends.map((end): PurgeTarget => ({ by: "prefix", prefix: `${scheme}://${host}${end}` })))
}

/** A URL as keys have it: authority in lower case and without the usual port; path and query octet for octet. */
function normalised(text: string): { base: string; path: string; query: string } | null {
  const match = /^(https?):\/\/([^/?#]+)([^?#]*)(\?[^#]*)?$/i.exec(text.trim())
  if (match === null || !/^[\x21-\x7e]+$/.test(text.trim())) return null
  const scheme = match[1]!.toLowerCase()
  const authority = match[2]!.toLowerCase().replace(scheme === "https" ? /:443$/ : /:80$/, "")
  return { base: `${scheme}://${authority}`, path: match[3] === "" ? "/" : match[3]!, query: match[4] ?? "" }
}
