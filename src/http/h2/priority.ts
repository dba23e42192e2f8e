// HOT

/** What `readPriority` found; read before the next call. */
export const priority = { urgency: 3, incremental: false }

/** Reads a Priority value, `u=1, i`, leniently: what is not understood keeps its default (RFC 9218 sections 4 and 5). */
export function readPriority(value: string): void {
  priority.urgency = 3
  priority.incremental = false
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (code === 117 && value.charCodeAt(at + 1) === 61) {
      const digit = value.charCodeAt(at + 2) - 48
      if (digit >= 0 && digit <= 7) priority.urgency = digit
    } else if (code === 105) priority.incremental = value.charCodeAt(at + 1) !== 61 || value.charCodeAt(at + 3) !== 48
    const comma = value.indexOf(",", at)
    if (comma < 0) return
    at = comma
    while (value.charCodeAt(at + 1) === 32) at++
  }
}
