// HOT
const COLON = 58

/** The first value of a name (lower case) among ready-made lines, such as `Fields.extra` and trailers; "" when there is none. */
export function lineValue(lines: string, lower: string): string {
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf("\r\n", at)
    if (end < 0) break
    if (names(lines, at, lower)) return lines.substring(at + lower.length + 1, end).trim()
    at = end + 2
  }
  return ""
}

function names(lines: string, at: number, lower: string): boolean {
  if (lines.charCodeAt(at + lower.length) !== COLON) return false
  for (let i = 0; i < lower.length; i++) {
    let code = lines.charCodeAt(at + i)
    if (code >= 65 && code <= 90) code += 32
    if (code !== lower.charCodeAt(i)) return false
  }
  return true
}
