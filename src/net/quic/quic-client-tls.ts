import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { getCACertificates } from "node:tls"
import type { ClientTlsOptions } from "../tls/client-tls.ts"
import type { NativeHandshake } from "./quic-runtime.ts"

const SESSIONS_MAX = 512

/** TLS towards peers over QUIC, as strict as `ClientTls`: built once, used by every dial. */
export class QuicClientTls {
  readonly verify: boolean
  private readonly identity: { keys: readonly KeyObject[]; certs: readonly Buffer[] } | null
  private readonly ca: readonly Buffer[]
  private readonly tickets: Map<string, Uint8Array>

  /** `minVersion` and `alpn` have no say: QUIC is TLS 1.3, and each dial names its protocol. Throws when the PEM texts are not usable. */
  constructor(options: ClientTlsOptions = {}) {
    const { ca, cert, key } = options
    this.verify = options.verify !== false
    this.identity = cert === undefined || key === undefined ? null : { keys: [createPrivateKey(key)], certs: [Buffer.from(cert)] }
    this.ca = ca === undefined ? systemAuthorities() : [Buffer.from(ca)]
    this.tickets = new Map()
  }

  /** The runtime's options for one connection. It checks the chain and tells; `problemOf` decides, for the runtime's own check of names is too lax. */
  settings(serverName: string, peer: string): object {
    const sessionTicket = this.tickets.get(peer)
    // The runtime cannot send no name, and takes "localhost" by itself where none is given; an address then stands there, which RFC 6066 would not have.
    const servername = plainName(serverName)
    const resumption = sessionTicket === undefined ? {} : { sessionTicket }
    return { ...this.identity, ...resumption, ca: this.ca, servername, verifyPeer: "manual", enableEarlyData: false }
  }

  /** Keeps the latest session of a peer, to resume it (RFC 8446 section 2.2); undefined forgets it. Those kept longest go first when there are too many. */
  keepTicket(peer: string, ticket: Uint8Array | undefined): void {
    this.tickets.delete(peer)
    if (ticket === undefined) return
    if (this.tickets.size >= SESSIONS_MAX) this.tickets.delete(this.tickets.keys().next().value!)
    this.tickets.set(peer, ticket)
  }

  /** Why the peer of a handshake is not the one we want, in words; "" = it is. */
  problemOf(info: NativeHandshake, certificate: X509Certificate | undefined, serverName: string): string {
    if (!this.verify) return ""
    if (certificate === undefined) return "the peer showed no certificate"
    if (info.validationErrorReason !== undefined) return `${info.validationErrorReason} (${info.validationErrorCode ?? ""})`
    if (serverName === "") return "no name to check the certificate against"
    // The subject's common name is no identity any more (RFC 9525 section 6.3); `*` stands for one whole label.
    const name = plainName(serverName)
    const known = isIP(name) === 0 ? certificate.checkHost(name, { subject: "never", partialWildcards: false }) : certificate.checkIP(name)
    return known === undefined ? `the certificate is for ${certificate.subjectAltName ?? "no name at all"}, not for ${name}` : ""
  }
}

/** Without the final dot of an absolute name, which certificates do not have. */
function plainName(serverName: string): string {
  return serverName.endsWith(".") ? serverName.slice(0, -1) : serverName
}

let authorities: Buffer[] | null = null

/** One piece, for the runtime reads them for every connection. */
function systemAuthorities(): readonly Buffer[] {
  if (authorities === null) {
    const found = getCACertificates("system")
    authorities = [Buffer.from((found.length > 0 ? found : getCACertificates("default")).join("\n"))]
  }
  return authorities
}
