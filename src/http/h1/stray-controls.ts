/** Control characters that a response should not have, other than NUL, CR, LF and HTAB. */
export function hasControls(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  return /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)
}

/** The same text with spaces in their place; sites send them, and as spaces they harm nobody (RFC 9110 section 5.5). */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  return text.replace(/[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/g, " ")
}
