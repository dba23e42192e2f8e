/** What of a name is served. */
export interface NameRules {
  /** Without a slash at its end. */
  readonly strip: string
  readonly hidden: boolean
}

/**
 * The path below the root, always with a leading slash, of a path in the form that rules see; null for what is never served. Each segment is decoded by
 * itself: one that is hidden, climbs, or holds a slash, a backslash or NUL when it is decoded names no file, in whatever encoding it came.
 */
export function fileName(path: string, { strip, hidden }: NameRules): string | null {
  if (strip !== "" && path !== strip && !path.startsWith(`${strip}/`)) return null
  const rest = strip === "" ? path : path.substring(strip.length)
  if (rest === "") return "/"
  if (rest.charCodeAt(0) !== SLASH) return null
  let name = rest
  if (rest.includes("%")) {
    try {
      name = rest.split("/").map(decodeSegment).join("/")
    } catch {
      return null
    }
  }
  return isServed(name, hidden) ? name : null
}

const SLASH = 47
const DOT = 46

function decodeSegment(segment: string): string {
  const decoded = decodeURIComponent(segment)
  if (decoded.includes("/")) throw new URIError("a slash inside a segment")
  return decoded
}

function isServed(name: string, hidden: boolean): boolean {
  if (name.includes("\0") || name.includes("\\")) return false
  for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) {
    if (name.charCodeAt(at + 1) !== DOT) continue
    if (!hidden) return false
    const end = name.indexOf("/", at + 1)
    const segment = name.substring(at + 1, end < 0 ? name.length : end)
    if (segment === "." || segment === "..") return false
  }
  return true
}
