// HOT

const EQUALS = 61

/** What `readPriority` found; read before the next call. */
export const priority = { urgency: 3, incremental: false }

/** Reads a Priority value, `u=1, i`, leniently: what is not understood, or out of its range, keeps its default (RFC 9218 sections 4 and 5). */
export function readPriority(value: string): void {
  priority.urgency = 3
  priority.incremental = false
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at)
    const says = value.charCodeAt(at + 1) === EQUALS
    if (code === 117 && says) {
      const digit = value.charCodeAt(at + 2) - 48
      if (digit >= 0 && digit <= 7 && ends(value, at + 3)) priority.urgency = digit
    } else if (code === 105) {
      if (ends(value, at + 1)) priority.incremental = true
      else if (says && value.charCodeAt(at + 2) === 63 && ends(value, at + 4)) priority.incremental = value.charCodeAt(at + 3) === 49
    }
    const comma = value.indexOf(",", at)
    if (comma < 0) return
    at = comma
    while (isBlank(value.charCodeAt(at + 1))) at++
  }
}

/** A member's key or value is over here; parameters may follow. */
function ends(value: string, at: number): boolean {
  const code = value.charCodeAt(at)
  return at >= value.length || code === 44 || code === 59 || isBlank(code)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}
