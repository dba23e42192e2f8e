// The fixed tables of RFC 7541 in their shortest form: written down for tests once more, so that a slip in the product's tables shows.

const authorityToPath = ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https"
const statuses = ":status=200|:status=204|:status=206|:status=304|:status=400|:status=404|:status=500"
const names = [
  "accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization",
  "cache-control|content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|cookie",
  "date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location",
  "max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security",
  "transfer-encoding|user-agent|vary|via|www-authenticate",
]

/** Appendix A; index 1 comes first. */
export const staticTable: readonly (readonly [name: string, value: string])[] = [authorityToPath, statuses, ...names]
  .join("|")
  .split("|")
  .map(entry => {
    const [name, value = ""] = entry.split("=")
    return [name!, value] as const
  })

// Appendix B: bits of each octet's code. The codes follow from the lengths, for the code is canonical: shorter first, then by value.
const codeLengths = `
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30`

export const endOfString = 256

/** The code of each octet, and of EOS at 256, as text of 0 and 1. */
export const huffmanCodes: readonly string[] = canonicalCodes(codeLengths.trim().split(/\s+/).map(Number))

function canonicalCodes(lengths: readonly number[]): string[] {
  const order = lengths.map((_, symbol) => symbol).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const codes: string[] = []
  let code = -1
  let before = lengths[order[0]!]!
  for (const symbol of order) {
    const length = lengths[symbol]!
    code = (code + 1) * 2 ** (length - before)
    codes[symbol] = code.toString(2).padStart(length, "0")
    before = length
  }
  return codes
}
