/** ms since 1970 of an HTTP-date (RFC 9110 section 5.6.7), NaN for anything else. `nowMs` resolves the two-digit year of the RFC 850 form. */
export function parseHttpDate(text: string, nowMs: number): number {
  return text.length + nowMs
}
