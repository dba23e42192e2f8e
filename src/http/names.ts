// HOT
/**
 * Field names that the proxy itself looks at, as small integers. 0 = any other name. The order is free; ids above 31 live in the second presence word.
 */
const names = [
  "",
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "expect",
  "upgrade",
  "te",
  "trailer",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "via",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "forwarded",
  "x-real-ip",
  "from",
  "referer",
  "server",
  "x-powered-by",
  "location",
  "set-cookie",
  "cookie",
  "date",
  "accept",
  "user-agent",
  "content-type",
  "http2-settings",
  "accept-encoding",
  "authorization",
  "content-location",
  "range",
  "cache-control",
  "etag",
  "content-encoding",
  "vary",
  "max-forwards",
  "proxy-authentication-info",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "retry-after",
  "last-modified",
  "origin",
  "if-range",
  "alt-svc",
  "if-none-match",
  "client-ip",
  "x-client-ip",
  "true-client-ip",
  "if-modified-since",
  "if-match",
  "if-unmodified-since",
  "pragma",
] as const

export const NAME = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  expect: 5,
  upgrade: 6,
  te: 7,
  trailer: 8,
  keepAlive: 9,
  proxyConnection: 10,
  proxyAuthorization: 11,
  proxyAuthenticate: 12,
  via: 13,
  xForwardedFor: 14,
  xForwardedProto: 15,
  xForwardedHost: 16,
  forwarded: 17,
  xRealIp: 18,
  from: 19,
  referer: 20,
  server: 21,
  xPoweredBy: 22,
  location: 23,
  setCookie: 24,
  cookie: 25,
  date: 26,
  accept: 27,
  userAgent: 28,
  contentType: 29,
  http2Settings: 30,
  acceptEncoding: 31,
  authorization: 32,
  contentLocation: 33,
  range: 34,
  cacheControl: 35,
  etag: 36,
  contentEncoding: 37,
  vary: 38,
  maxForwards: 39,
  proxyAuthenticationInfo: 40,
  xForwardedPort: 41,
  xForwardedPrefix: 42,
  retryAfter: 43,
  lastModified: 44,
  origin: 45,
  ifRange: 46,
  altSvc: 47,
  ifNoneMatch: 48,
  clientIp: 49,
  xClientIp: 50,
  trueClientIp: 51,
  ifModifiedSince: 52,
  ifMatch: 53,
  ifUnmodifiedSince: 54,
  pragma: 55,
} as const

/** The lower-case name of an id. */
export function nameOf(id: number): string {
  return names[id] ?? ""
}

const byLength: number[][] = []
for (let id = 1; id < names.length; id++) (byLength[names[id]!.length] ??= []).push(id)
const longest = byLength.length - 1
// codes[id] = the name's characters, so that the comparison below reads no string
const codes: Uint8Array[] = names.map(name => Uint8Array.from(name, c => c.charCodeAt(0)))

/**
 * The id of the field name at text[start, end), compared without regard to case; 0 when it is none of ours. The text holds token characters only
 * (RFC 9110 section 5.6.2): among those, setting bit 5 maps a letter to lower case and nothing else onto a letter, digit or hyphen.
 */
export function nameId(text: string, start: number, end: number): number {
  const length = end - start
  if (length > longest) return 0
  const candidates = byLength[length]
  if (candidates === undefined) return 0
  const first = text.charCodeAt(start) | 32
  const last = text.charCodeAt(end - 1) | 32
  for (let k = 0; k < candidates.length; k++) {
    const id = candidates[k]!
    const name = codes[id]!
    if (name[0] !== first || name[length - 1] !== last) continue
    let i = 1
    while (i < length && (text.charCodeAt(start + i) | 32) === name[i]) i++
    if (i >= length) return id
  }
  return 0
}
