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
  /** Not all need one: who offers none is taken without, and the log-in decides about it as about everybody. */
  readonly silent: boolean
  /** Peers may be waited for (BIND). */
  readonly bind: boolean
  /** UDP is relayed; null = it is not offered. */
  readonly udp: SocksUdpOptions | null
}

export interface SocksUdpOptions {
  /** Silence both ways after which a target is forgotten, in milliseconds. */
  readonly idleMs: number
  /** Targets of one client connection at the same time. */
  readonly targetsMax: number
  /** What clients are told to send to; "" = the address that they came to. */
  readonly address: string
}

/** The first octet says who speaks: no method of HTTP begins with one of these two. */
export function speaksSocks(first: number, options: SocksOptions): boolean {
  return first === 5 ? options.v5 : first === 4 && options.v4
}
