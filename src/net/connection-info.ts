// HOT
import type { Wire } from "./wire.ts"

/** IPv4 clients of a dual-stack socket are seen as `::ffff:192.0.2.1`; everybody else writes them as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}

/**
 * What is known of an accepted connection before its first octet. One small object per connection; what costs a system call is read when it is asked for.
 * Read what you need before the connection closes: the addresses cannot be read afterwards.
 */
export class ConnectionInfo {
  readonly secure: boolean
  /** Set when a PROXY protocol preface named the client. */
  source: { address: string; port: number } | null
  readonly #wire: Wire
  #remoteAddress: string

  constructor(wire: Wire, secure: boolean) {
    this.secure = secure
    this.source = null
    this.#wire = wire
    this.#remoteAddress = ""
  }

  /** The client's address, IPv4 never in mapped form; "" on a Unix socket. */
  get remoteAddress(): string {
    if (this.source !== null) return this.source.address
    if (this.#remoteAddress === "") this.#remoteAddress = plainAddress(this.#wire.remoteAddress ?? "")
    return this.#remoteAddress
  }

  get remotePort(): number {
    return this.source !== null ? this.source.port : this.#wire.remotePort
  }

  get localAddress(): string {
    return plainAddress(this.#wire.localAddress ?? "")
  }

  get localPort(): number {
    return this.#wire.localPort
  }

  /** TLS name that the client asked for, lower case; "" when none. */
  get serverName(): string {
    return ""
  }

  /** Protocol chosen by ALPN; "" when none. */
  get alpn(): string {
    return ""
  }

  /** What the client showed of itself in TLS; null = it was not asked or showed nothing. */
  get clientCertificate(): ClientCertificate | null {
    return null
  }
}

export interface ClientCertificate {
  /** Signed by one of the configured authorities and in date. */
  verified: boolean
  /** Why it is not verified; "" when it is. */
  problem: string
  subject: string
  /** SHA-256, hex with colons. */
  fingerprint256: string
}
