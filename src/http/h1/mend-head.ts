/** Control characters that a response should not have, other than NUL, CR, LF and HTAB. */
const CONTROLS = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/g
const SPACE_BEFORE_COLON = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)([ \t]+):/gm
const FOLD = /\r\n(?=[ \t])/g

/** A head that is not whole yet cannot be mended: `Name ` may become `Name :`. */
export function mayYetBeMended(text: string, bytesMax: number): boolean {
  return text.length <= bytesMax && text.startsWith("HTTP/1.") && !text.includes("\r\n\r\n")
}

/**
 * The text of a response whose head breaks the grammar, with what a proxy mends: space before a colon goes behind it (RFC 9112 section 5.1),
 * folds and stray control characters become spaces (RFC 9112 section 5.2, RFC 9110 section 5.5). The length stays as it is, and so do the status
 * line, what follows it in a fold, and the body that came with the head. Decisions about the message are taken on the result alone.
 */
export function mendHead(text: string): string {
  const lineEnd = text.indexOf("\r\n")
  const blank = text.indexOf("\r\n\r\n")
  const end = blank < 0 ? text.length : blank
  if (lineEnd < 0 || lineEnd === end) return text.substring(0, end).replace(CONTROLS, " ") + text.substring(end)
  const start = text.substring(0, lineEnd + 2).replace(CONTROLS, " ")
  const fields = text
    .substring(lineEnd + 2, end)
    .replace(FOLD, "  ")
    .replace(SPACE_BEFORE_COLON, "$1:$2")
    .replace(CONTROLS, " ")
  return start + fields + text.substring(end)
}
