// HOT
import type { NativeWire } from "./dispatch.ts"
import { hasUnread } from "./libc.ts"
import type { Endpoint } from "./proxy-protocol/preface.ts"

/** IPv4 clients of a dual-stack socket are seen as `::ffff:192.0.2.1`; everybody else writes them as IPv4. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ""
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}

/** What a client showed of itself in TLS. */
export interface ClientCertificate {
  /** Signed by one of the listener's authorities and in date. */
  verified: boolean
  /** Why it is not verified; "" when it is. */
  problem: string
  /** The subject as one line, most specific part first, with everything escaped that could be taken for more than a value (RFC 4514). */
  name: string
  /** One `attribute=value` a line, the way OpenSSL writes it. */
  subject: string
  issuer: string
  serialNumber: string
  /** SHA-256, hexadecimal with colons. */
  fingerprint256: string
  /** The certificate itself (DER); a copy each time. What the client showed beside it, the runtime does not tell. */
  readonly der?: Uint8Array
}

/** What is known of an accepted connection, whatever carries it. */
export interface ConnectionInfo {
  /** The connection is TLS, or QUIC. */
  readonly secure: boolean
  /** The client's address, IPv4 never in mapped form; the PROXY protocol's word when there is one; "" on a Unix socket. */
  readonly remoteAddress: string
  readonly remotePort: number
  /** Where the client came in; the PROXY protocol's word when there is one. */
  readonly localAddress: string
  readonly localPort: number
  /** Who is at the other end of the transport, whatever a PROXY protocol header says. */
  readonly peerAddress: string
  /** TLS name that the client asked for, in lower case without a final dot; "" when none. */
  readonly serverName: string
  /** Protocol agreed by ALPN; "" when none. */
  readonly alpn: string
  /** `TLSv1.2`, `TLSv1.3`; "" without TLS. */
  readonly tlsVersion: string
  /** null = the client was not asked for a certificate or showed none. */
  readonly clientCertificate: ClientCertificate | null
}

/** No connection: nobody asked from outside. */
export const NO_CONNECTION: ConnectionInfo = {
  secure: false,
  remoteAddress: "",
  remotePort: 0,
  localAddress: "",
  localPort: 0,
  peerAddress: "",
  serverName: "",
  alpn: "",
  tlsVersion: "",
  clientCertificate: null,
}

/**
 * The same of a TCP or Unix socket, before its first octet. One small object per connection; what costs a call is asked for once, when it is read.
 * Read what you need while the connection is open: afterwards the system does not tell any more.
 */
export class WireInfo implements ConnectionInfo {
  /** The connection is TLS. */
  readonly secure: boolean
  private readonly wire: NativeWire
  private readonly source: Endpoint | null
  private readonly destination: Endpoint | null
  private remote: string | null
  private local: string | null
  private certificate: ClientCertificate | null | undefined

  constructor(wire: NativeWire, secure: boolean, source: Endpoint | null, destination: Endpoint | null) {
    this.secure = secure
    this.wire = wire
    this.source = source
    this.destination = destination
    this.remote = null
    this.local = null
    this.certificate = undefined
  }

  /** The client's address, IPv4 never in mapped form; the PROXY protocol's word when there is one; "" on a Unix socket. */
  get remoteAddress(): string {
    this.remote ??= this.source === null ? plainAddress(this.wire.remoteAddress) : this.source.address
    return this.remote
  }

  /** Reads the client's address now, so that it is known after the end. */
  remember(): this {
    void this.remoteAddress
    return this
  }

  /** Octets of the client have come that nobody has read yet. */
  get hasUnread(): boolean {
    const { fd } = this.wire
    return fd >= 0 && hasUnread(fd)
  }

  get remotePort(): number {
    return this.source === null ? (this.wire.remotePort ?? 0) : this.source.port
  }

  /** Where the client came in; the PROXY protocol's word when there is one. */
  get localAddress(): string {
    this.local ??= this.destination === null ? plainAddress(this.wire.localAddress) : this.destination.address
    return this.local
  }

  get localPort(): number {
    return this.destination === null ? (this.wire.localPort ?? 0) : this.destination.port
  }

  /** Who is at the other end of the transport, whatever a PROXY protocol header says. */
  get peerAddress(): string {
    return plainAddress(this.wire.remoteAddress)
  }

  /** TLS name that the client asked for, in lower case without a final dot; "" when none. */
  get serverName(): string {
    if (!this.secure) return ""
    const name = this.wire.getServername()
    return name === undefined ? "" : plainServerName(name)
  }

  /** Protocol agreed by ALPN; "" when none. */
  get alpn(): string {
    return this.secure ? this.wire.alpnProtocol || "" : ""
  }

  /** `TLSv1.2`, `TLSv1.3`; "" without TLS. */
  get tlsVersion(): string {
    return this.secure ? this.wire.getTLSVersion() : ""
  }

  /** null = the client was not asked for a certificate or showed none. */
  get clientCertificate(): ClientCertificate | null {
    if (this.certificate === undefined) this.certificate = this.secure ? certificateOf(this.wire) : null
    return this.certificate
  }
}

export function plainServerName(name: string): string {
  const lower = name.toLowerCase()
  return lower.endsWith(".") ? lower.slice(0, -1) : lower
}

function certificateOf(wire: NativeWire): ClientCertificate | null {
  const shown = wire.getPeerX509Certificate()
  if (shown === undefined) return null
  const { subject, issuer, serialNumber, fingerprint256 } = shown
  const verified = wire.authorized
  const error = verified ? null : wire.getAuthorizationError()
  const problem = verified ? "" : (error?.code ?? error?.message ?? "not verified")
  const name = distinguishedName(subject)
  return {
    verified,
    problem,
    name,
    subject,
    issuer,
    serialNumber,
    fingerprint256,
    // allow(closure): once a connection, when its certificate is asked for
    get der() {
      return shown.raw
    },
  }
}

/** The lines come escaped already, a line break in a value as `\0A`. */
function distinguishedName(lines: string): string {
  return lines.split("\n").reverse().join(",")
}
