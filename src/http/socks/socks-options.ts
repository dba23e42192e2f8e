/** What a listener says about its SOCKS clients. */
export interface SocksOptions {
  /** SOCKS 4 and 4a. */
  readonly v4: boolean
  /** SOCKS 5 (RFC 1928). */
  readonly v5: boolean
  /** Nothing but SOCKS is spoken. */
  readonly only: boolean
  /** Somebody judges names and passwords, so clients are asked for them (RFC 1929). */
  readonly passwords: boolean
}

/** The first octet says who speaks: no method of HTTP begins with one of these two. */
export function speaksSocks(first: number, options: SocksOptions): boolean {
  return first === 5 ? options.v5 : first === 4 && options.v4
}
