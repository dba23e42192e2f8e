/** Where the body begins that may have come with a head. */
function headEnd(text: string): number {
  const blank = text.indexOf("\r\n\r\n")
  return blank < 0 ? text.length : blank
}

/** Whether the head in front of `text` has control characters that it should not have, other than NUL, CR, LF and HTAB. */
export function hasControls(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  return /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text.substring(0, headEnd(text)))
}

/** The same text with spaces in their place, the body untouched; sites send them, and as spaces they harm nobody (RFC 9110 section 5.5). */
export function withoutControls(text: string): string {
  const end = headEnd(text)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  return text.substring(0, end).replace(/[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/g, " ") + text.substring(end)
}
