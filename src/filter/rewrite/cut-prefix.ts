// HOT
/**
 * What of a path as it came lies behind `prefix` (the form that rules see, without a slash at its end): "" when they are the same, null when the path does
 * not spell it octet by octet, plain or percent-encoded. Only whole segments are cut.
 */
export function cutPrefix(path: string, prefix: string): string | null {
  if (path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH)) return path.substring(prefix.length)
  let at = 0
  let lastSlash = false
  for (let i = 0; i < prefix.length; i++) {
    const wanted = prefix.charCodeAt(i)
    // Rules see one slash where several came.
    while (lastSlash && path.charCodeAt(at) === SLASH) at++
    const escaped = path.charCodeAt(at) === PERCENT && wanted !== PERCENT
    if ((escaped ? octetAt(path, at) : path.charCodeAt(at)) !== wanted) return null
    lastSlash = wanted === SLASH
    at += escaped ? 3 : 1
  }
  return at === path.length || path.charCodeAt(at) === SLASH ? path.substring(at) : null
}

const SLASH = 47
const PERCENT = 37

/** The octet of `%41`, -1 = it is none. */
function octetAt(path: string, at: number): number {
  const high = hexOf(path.charCodeAt(at + 1))
  const low = hexOf(path.charCodeAt(at + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
