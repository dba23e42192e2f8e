/** Fields, in lower case, that are true of the octets in the coding they came in, and not of others (RFC 9530 sections 2 and 3, RFC 3230). */
export const octetFields: readonly string[] = [
  "content-length",
  "content-md5",
  "content-digest",
  "repr-digest",
  "digest",
  // Ranges of an encoded answer there are none: who asks for one gets the plain octets, which do not go behind those it has (RFC 9110 section 14.3).
  "accept-ranges",
]

/** A strong tag names these very octets; encoded they are others of the same meaning (RFC 9110 sections 8.8.1 and 8.8.3.3). */
export function weakTag(tag: string): string {
  return tag === "" || tag.startsWith("W/") ? tag : `W/${tag}`
}
