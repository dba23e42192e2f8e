/** What the proxy's cache did with a request, as its member of Cache-Status says (RFC 9211). */
export interface CacheAnswer {
  /** `stored`: it was fetched and is there now. `waited`: another request was already fetching it. `none`: no cache on this route. */
  readonly did: "hit" | "stored" | "waited" | "uncacheable" | "none"
  /** Why it was not stored, or what the request went forward for; "" = not said. */
  readonly reason: string
}

const none: CacheAnswer = { did: "none", reason: "" }
const name = "bothways"

/** The last member of our name is the nearest proxy's: others are those of caches behind it. */
export function readCacheStatus(value: string): CacheAnswer {
  for (const member of split(value, ",").reverse()) {
    const [cache = "", ...parameters] = split(member, ";")
    if (bare(cache).toLowerCase() === name) return answerOf(new Map(parameters.map(parameterOf)))
  }
  return none
}

function answerOf(said: ReadonlyMap<string, string>): CacheAnswer {
  const reason = said.get("detail") ?? said.get("fwd") ?? ""
  if (said.has("hit")) return { did: "hit", reason: "" }
  if (said.has("stored")) return { did: "stored", reason: "" }
  return { did: said.has("collapsed") ? "waited" : "uncacheable", reason }
}

function parameterOf(text: string): [string, string] {
  const equals = text.indexOf("=")
  return equals < 0 ? [text.trim(), ""] : [text.slice(0, equals).trim(), bare(text.slice(equals + 1))]
}

/** Without blanks and quotes around it. */
function bare(text: string): string {
  const value = text.trim()
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value
}

/** The parts between separators, none of which counts inside a quoted string. */
function split(value: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  let quoted = false
  for (let i = 0; i < value.length; i++) {
    const c = value[i]
    if (quoted && c === "\\") i++
    else if (c === '"') quoted = !quoted
    else if (c === separator && !quoted) {
      parts.push(value.slice(from, i))
      from = i + 1
    }
  }
  return [...parts, value.slice(from)]
}
