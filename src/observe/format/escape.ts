// HOT
/** Characters of a value that are written; a longer one is cut, so that one request cannot fill the log. */
export const valueCharactersMax = 4096

// Everything else is printable ASCII and stands for itself in all formats.
const unsafe = /[^ !#-[\]-~]/

/** JSON string body: ASCII only. Octets from 0x80 on become \u0080 to \u00ff, so every octet of a field can be told from the log. */
export function escapeJson(value: string): string {
  if (value.length > valueCharactersMax) return escapeJson(value.slice(0, valueCharactersMax)) + "..."
  return unsafe.test(value) ? rewritten(value, true) : value
}

/** nginx's escaping of octets: `"`, `\`, control characters and octets from 0x7F on become \xHH. An empty value is "-". */
export function escapeHex(value: string): string {
  if (value === "") return "-"
  if (value.length > valueCharactersMax) return escapeHex(value.slice(0, valueCharactersMax)) + "..."
  return unsafe.test(value) ? rewritten(value, false) : value
}

/** The same for text: its UTF-8 octets are escaped. */
export function escapeHexText(value: string): string {
  return unsafe.test(value) ? escapeHex(Buffer.from(value, "utf8").toString("latin1")) : escapeHex(value)
}

function rewritten(value: string, json: boolean): string {
  let out = ""
  let from = 0
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code > 31 && code < 127 && code !== 34 && code !== 92) continue
    out += value.substring(from, i) + (json ? jsonEscape(code) : "\\x" + code.toString(16).toUpperCase().padStart(2, "0"))
    from = i + 1
  }
  return out + value.substring(from)
}

function jsonEscape(code: number): string {
  if (code === 34) return '\\"'
  return code === 92 ? "\\\\" : "\\u" + code.toString(16).padStart(4, "0")
}
