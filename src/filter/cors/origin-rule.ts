/** An origin as browsers write it (RFC 6454 section 6.2), with at most one `*` for the labels in front of a name. */
const originPattern = /^([a-z][a-z0-9+.-]*):\/\/(\*\.)?((?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/

/** What is wrong with an entry of the list, "" when nothing is. */
export function problemOfOrigin(text: string): string {
  if (text === "*" || text === "null") return ""
  const match = originPattern.exec(text.toLowerCase())
  if (match === null) return 'expected an origin such as "https://app.example", "https://*.example.com" or "http://localhost:*", without a path'
  return Number(match[4] ?? 1) > 65_535 ? "expected a port from 1 to 65535" : ""
}

/** Which origins may read answers. */
export class OriginRule {
  /** Anybody may, and every browser is told so in the same words. */
  readonly any: boolean
  private readonly exact: ReadonlySet<string>
  private readonly patterns: readonly Pattern[]

  constructor(origins: readonly string[]) {
    const lower = origins.map(origin => withoutDefaultPort(origin.toLowerCase()))
    this.any = lower.includes("*")
    this.exact = new Set(lower.filter(origin => !origin.includes("*")))
    this.patterns = lower.filter(origin => origin !== "*" && origin.includes("*")).map(patternOf)
  }

  /** `null` is the origin of sandboxed pages and files, which anybody can make: it has to be listed by itself. */
  allows(origin: string): boolean {
    if (this.any || this.exact.has(origin)) return true
    for (const pattern of this.patterns) if (matches(origin, pattern)) return true
    return false
  }
}

/** `https://*.example.com:*` as what stands in front of the star and behind it. */
interface Pattern {
  readonly start: string
  /** null = there is no star in the name. */
  readonly tail: string | null
  readonly anyPort: boolean
}

function patternOf(origin: string): Pattern {
  const anyPort = origin.endsWith(":*")
  const plain = anyPort ? origin.slice(0, -2) : origin
  const star = plain.indexOf("*.")
  return star < 0 ? { start: plain, tail: null, anyPort } : { start: plain.slice(0, star), tail: plain.slice(star + 1), anyPort }
}

function matches(origin: string, { start, tail, anyPort }: Pattern): boolean {
  const end = anyPort ? portStart(origin) : origin.length
  if (!origin.startsWith(start)) return false
  if (tail === null) return end === start.length
  return end > start.length + tail.length && origin.startsWith(tail, end - tail.length) && isName(origin, start.length, end)
}

/** Nothing but characters of a name: no port, no user, no path. */
function isName(origin: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const code = origin.charCodeAt(i)
    const fine = (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45 || code === 46 || code === 95
    if (!fine) return false
  }
  return true
}

function portStart(origin: string): number {
  const match = /:\d{1,5}$/.exec(origin)
  return match === null ? origin.length : match.index
}

/** Browsers leave it out. */
function withoutDefaultPort(origin: string): string {
  if (origin.startsWith("https://")) return origin.replace(/:443$/, "")
  return origin.startsWith("http://") ? origin.replace(/:80$/, "") : origin
}
