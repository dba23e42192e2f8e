// HOT
/** Why a request went forward (RFC 9211 section 2.2). */
export type ForwardReason = "bypass" | "method" | "uri-miss" | "vary-miss" | "miss" | "request" | "stale" | "partial"

/** One cache's member of Cache-Status. */
export interface CacheStatus {
  /** Our name: a token. */
  readonly cache: string
  readonly hit: boolean
  /** "" = it did not. Only without `hit`. */
  readonly forward: ForwardReason | ""
  /** 0 = absent. */
  readonly forwardStatus: number
  /** Seconds, NaN = absent. */
  readonly ttl: number
  readonly stored: boolean
  readonly collapsed: boolean
  /** The key as text; "" = absent. Only for clients that may know it (section 6). */
  readonly key: string
  /** A token; "" = absent. */
  readonly detail: string
}

/** What upstream caches said is passed on up to this length; more is dropped, so that no response grows with the number of caches it passed. */
export const upstreamStatusLengthMax = 1024
/** Of a key that is longer only the beginning is shown. */
export const shownKeyLengthMax = 256

/** The value of Cache-Status: what upstream caches said (a joined value or "") and our member behind it (RFC 9211 section 2). */
export function cacheStatus(upstream: string, own: CacheStatus): string {
  let member = own.cache
  if (own.hit) member += "; hit"
  else if (own.forward !== "") member += forwardPart(own)
  if (!Number.isNaN(own.ttl)) member += "; ttl=" + Math.trunc(own.ttl)
  if (own.key !== "") member += "; key=" + quoted(own.key)
  if (own.detail !== "") member += "; detail=" + own.detail
  return upstream === "" || upstream.length > upstreamStatusLengthMax ? member : upstream + ", " + member
}

/** What has a meaning only beside `fwd` (sections 2.2, 2.3, 2.5, 2.6). */
function forwardPart(own: CacheStatus): string {
  let part = "; fwd=" + own.forward
  if (own.forwardStatus > 0) part += "; fwd-status=" + own.forwardStatus
  if (own.stored) part += "; stored"
  if (own.collapsed) part += "; collapsed"
  return part
}

/** A string of structured fields (RFC 8941 section 3.3.3), which knows visible ASCII only; other octets are shown as "?". */
function quoted(text: string): string {
  const end = Math.min(text.length, shownKeyLengthMax)
  let out = '"'
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === 34 || code === 92) out += "\\"
    out += code < 32 || code > 126 ? "?" : text.charAt(i)
  }
  return out + '"'
}
