import { isIP } from "node:net"
import { getCACertificates } from "node:tls"
import type { NativeWire } from "../dispatch.ts"
import { alpnWireFormat, type NativeContext, nativeContext, type TlsVersion } from "./context.ts"

export interface ClientTlsOptions {
  /** PEM of the authorities to trust. Default: those of the system, or the runtime's own list (Mozilla's) where the system has none. */
  ca?: string
  /** PEM of the certificate (with its chain) and key that we show. */
  cert?: string
  key?: string
  /** False takes any certificate: the connection is then open to whoever sits in between. Default true. */
  verify?: boolean
  /** Default "1.2". */
  minVersion?: TlsVersion
  /** Protocols to offer, the preferred one first; default none. */
  alpn?: readonly string[]
}

const SESSIONS_MAX = 512

/** TLS towards peers: built once, used by every dial. What differs between connections is the name alone. */
export class ClientTls {
  readonly verify: boolean
  /** Callbacks of the sockets under these settings; `dial` makes and keeps them here. */
  handlers: object | null
  private readonly context: NativeContext
  private readonly protocols: Buffer | undefined
  private readonly sessions: Map<string, Buffer>

  /** Throws when the PEM texts are not usable or do not fit together. */
  constructor(options: ClientTlsOptions = {}) {
    this.verify = options.verify !== false
    this.handlers = null
    this.sessions = new Map()
    this.protocols = alpnWireFormat(options.alpn ?? [])
    const { cert, key, minVersion } = options
    const ca = options.ca ?? systemAuthorities()
    this.context = nativeContext({ ca, cert, key, minVersion, requestCert: true, rejectUnauthorized: this.verify })
  }

  /** The runtime's `tls` option for one connection. "" in `serverName` sends none; undefined would let the runtime choose, even an address. */
  settings(serverName: string): object {
    const name = sentName(serverName)
    // The runtime checks the name that it sends. Where it sends none, `problemOf` alone checks.
    const rejectUnauthorized = this.verify && name !== ""
    return { secureContext: this.context, serverName: name, ALPNProtocols: this.protocols, requestCert: true, rejectUnauthorized }
  }

  /** The session to resume with a peer, which saves both sides the signatures (RFC 8446 section 2.2). Peer and name are checked all the same. */
  sessionFor(peer: string): Buffer | undefined {
    return this.sessions.get(peer)
  }

  /** Keeps the latest session of a peer; undefined forgets it. The peers that were new longest ago go first when there are too many. */
  keepSession(peer: string, session: Buffer | undefined): void {
    this.sessions.delete(peer)
    if (session === undefined) return
    if (this.sessions.size >= SESSIONS_MAX) this.sessions.delete(this.sessions.keys().next().value!)
    this.sessions.set(peer, session)
  }

  /** Why the peer of a handshake is not the one we want, in words; "" = it is. */
  problemOf(wire: NativeWire, serverName: string, success: boolean, error: TlsError | null): string {
    const certificate = wire.getPeerX509Certificate()
    if (certificate === undefined || (!success && isProtocolFailure(error))) return problemText(error)
    if (!this.verify) return ""
    // The runtime compares the name on its own too, against "localhost" where none is sent; only its word on the chain counts there.
    if (error !== null && error.code !== NAME_MISMATCH) return problemText(error)
    if (serverName === "") return "no name to check the certificate against"
    // The subject's common name is no identity any more (RFC 9525 section 6.3); `*` stands for one whole label.
    const name = plainName(serverName)
    const isName = isIP(name) === 0
    const known = isName ? certificate.checkHost(name, { subject: "never", partialWildcards: false }) : certificate.checkIP(name)
    if (known === undefined) return `the certificate is for ${certificate.subjectAltName ?? "no name at all"}, not for ${name}`
    return isName && !success ? problemText(error) : ""
  }
}

type TlsError = Error & { code?: string }

const NAME_MISMATCH = "ERR_TLS_CERT_ALTNAME_INVALID"

/** The handshake itself failed, whatever the certificate. */
function isProtocolFailure(error: TlsError | null): boolean {
  const code = error?.code ?? "EPROTO"
  return code === "EPROTO" || code === "ECONNRESET" || code.startsWith("ERR_SSL") || code.startsWith("ERR_OSSL")
}

function problemText(error: TlsError | null): string {
  if (error === null) return "the handshake failed"
  if (error.code === "ECONNRESET") return "the peer closed the connection during the handshake"
  return error.code === undefined || error.code === "EPROTO" ? error.message : `${error.message} (${error.code})`
}

/** Without the final dot of an absolute name, which certificates do not have. */
function plainName(serverName: string): string {
  return serverName.endsWith(".") ? serverName.slice(0, -1) : serverName
}

/** What goes into the handshake: no address literal (RFC 6066 section 3). */
export function sentName(serverName: string): string {
  const name = plainName(serverName)
  return isIP(name) === 0 ? name : ""
}

/** A peer that wants a certificate of ours says so when the handshake is over already (RFC 8446 section 6.2, certificate_required). */
export function isCertificateRequired(error: Error | null): boolean {
  return error?.message.includes("CERTIFICATE_REQUIRED") === true
}

/** PEM of each authority that is believed where nothing else is said. */
export function believedAuthorities(): readonly string[] {
  return systemAuthorities() ?? getCACertificates("bundled")
}

let authorities: string[] | undefined | null = null

function systemAuthorities(): string[] | undefined {
  if (authorities === null) {
    const found = getCACertificates("system")
    authorities = found.length > 0 ? found : undefined
  }
  return authorities
}
