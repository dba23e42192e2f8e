// HOT
/** What a response says about its storing (RFC 9111 section 5.2.2, RFC 5861, RFC 8246). Times in seconds, -1 = absent. */
export interface ResponseDirectives {
  readonly noStore: boolean
  /** Without field names: the whole response needs validation. */
  readonly noCache: boolean
  /** `no-cache="a, b"`: lower case. */
  readonly noCacheFields: readonly string[]
  /** Without field names: the whole response is for one user. */
  readonly isPrivate: boolean
  readonly privateFields: readonly string[]
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly immutable: boolean
  readonly noTransform: boolean
  readonly maxAge: number
  readonly sMaxage: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** They come from a targeted field (RFC 9213): Cache-Control and Expires do not count. */
  readonly targeted: boolean
}

/** What a request asks of caches (RFC 9111 section 5.2.1, RFC 5861 section 4). Times in seconds, -1 = absent. */
export interface RequestDirectives {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly noTransform: boolean
  readonly maxAge: number
  readonly minFresh: number
  /** Infinity = any age will do. */
  readonly maxStale: number
  readonly staleIfError: number
}

/** The directives of a joined Cache-Control value of a response. */
export function parseResponseDirectives(value: string): ResponseDirectives {
  return todo(value)
}

/** The directives of a request: joined values of Cache-Control and Pragma, which counts only where the first is absent (RFC 9111 section 5.4). */
export function parseRequestDirectives(cacheControl: string, pragma: string): RequestDirectives {
  return todo(cacheControl + pragma)
}

function todo(_: string): never {
  return undefined as never
}
