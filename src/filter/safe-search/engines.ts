/** What a search engine, or a video site, offers to those who run networks. */
export interface Engine {
  readonly name: string
  /** Hosts that are meant: exact, or with a star for the country's ending (`google.*`). */
  readonly hosts: readonly string[]
  /** Name to dial instead: its servers answer for the hosts above, strictly. "" = the engine publishes none. */
  readonly strict: string
  /** Parameter that requests which we can read get, and the one that makes a request a search. null = there is none. */
  readonly parameter: { readonly name: string; readonly value: string; readonly of: string } | null
  /** Where the engine says so. */
  readonly source: string
}

/** Search engines with a strict mode that a network can ask for. The one list; each entry names its source. */
export const engines: readonly Engine[] = [
  {
    name: "google",
    hosts: ["google.*", "www.google.*", "images.google.*"],
    strict: "forcesafesearch.google.com",
    parameter: { name: "safe", value: "active", of: "q" },
    source: "support.google.com/websearch/answer/186669",
  },
  {
    name: "bing",
    hosts: ["bing.com", "www.bing.com"],
    strict: "strict.bing.com",
    parameter: { name: "adlt", value: "strict", of: "q" },
    source: "help.bing.microsoft.com, Block adult content with SafeSearch",
  },
  {
    name: "duckduckgo",
    hosts: ["duckduckgo.com", "www.duckduckgo.com", "start.duckduckgo.com"],
    strict: "safe.duckduckgo.com",
    parameter: { name: "kp", value: "1", of: "q" },
    source: "help.duckduckgo.com/duckduckgo-help-pages/features/safe-search",
  },
  {
    name: "brave",
    hosts: ["search.brave.com"],
    strict: "forcesafe.search.brave.com",
    parameter: { name: "safesearch", value: "strict", of: "q" },
    source: "search.brave.com, help pages on safe search",
  },
  {
    name: "yandex",
    hosts: ["yandex.*", "www.yandex.*", "ya.ru"],
    strict: "familysearch.yandex.ru",
    parameter: { name: "family", value: "yes", of: "text" },
    source: "yandex.com, help pages on family search",
  },
  {
    name: "ecosia",
    hosts: ["www.ecosia.org"],
    strict: "strict-safe-search.ecosia.org",
    parameter: null,
    source: "ecosia.org, help pages on safe search",
  },
  {
    name: "pixabay",
    hosts: ["pixabay.com"],
    strict: "safesearch.pixabay.com",
    parameter: null,
    source: "pixabay.com, help pages on safe search",
  },
]

export const engineNames = engines.map(({ name }) => name) as [string, ...string[]]

/** YouTube's restricted mode: by another name to dial, or by a field of requests that we can read. Source: support.google.com/a/answer/6214622. */
export const videos = {
  hosts: ["www.youtube.com", "m.youtube.com", "youtubei.googleapis.com", "youtube.googleapis.com", "www.youtube-nocookie.com"],
  field: "YouTube-Restrict",
  strict: { name: "restrict.youtube.com", value: "Strict" },
  moderate: { name: "restrictmoderate.youtube.com", value: "Moderate" },
} as const

/** Whether what stands for the star is a country's ending: `com`, `de`, `co.uk`, `com.br`. Nobody else can have a name that ends in one of these behind the engine's own. */
export function isEnding(text: string): boolean {
  return /^(?:com|[a-z]{2}|(?:com?|net|org)\.[a-z]{2})$/.test(text)
}
