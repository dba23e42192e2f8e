import { createPrivateKey } from "node:crypto"
import { type Address, formatAddress, log } from "../../base/index.ts"
import type { Refusal } from "../accept-point.ts"
import type { ConnectionLimits } from "../connection-limits.ts"
import { ListenError } from "../listen-error.ts"
import { AcceptedSession } from "./accepted-session.ts"
import type { QuicIdentity, QuicServerTls } from "./quic-certificates.ts"
import type { QuicConnection } from "./quic-connection.ts"
import type { QuicConnectionHandler } from "./quic-handlers.ts"
import { DEFAULT_LIMITS, type QuicLimits, transportOptions } from "./quic-limits.ts"
import { type NativeEndpoint, type NativeIdentity, type NativeSession, noop, quicRuntime } from "./quic-runtime.ts"
import { canRebind, findUdpSocket, ignoreIcmp, interimAddress, nextDescriptor, rebind, steerByAddress } from "./udp-port.ts"
import { UdpBrake } from "./udp-brake.ts"
import { UnreadBudget } from "./unread-meter.ts"

export interface QuicAcceptor {
  /** The handshake is done. Answers who listens to the connection; null closes it. */
  onOpen(connection: QuicConnection): QuicConnectionHandler | null
  /** One connection too many; it is closed. */
  onRefused?(remoteAddress: string, refusal: Refusal): void
  /** Its handshake did not finish; who it was the runtime does not tell. */
  onFailed?(detail: string): void
}

export interface QuicListenOptions {
  /** Not a Unix socket. */
  bind: { host: string; port: number }
  tls: QuicServerTls
  /** Default ["h3"]; a client that offers none of them is refused. */
  alpn?: readonly string[]
  /** Several workers share the port (Linux). Default false: the port is taken for oneself. */
  reusePort?: boolean
  /**
   * How many sockets share the port in all workers, when the client's address alone shall say which one is its own. A connection then lives on when a NAT gives
   * its client another port; clients behind one address all share one worker. Default 0: address and port decide, and such a connection is lost.
   */
  steerOver?: number
  limits?: QuicLimits
  /** Counts over all workers. Default null: no limits but `limits.connectionsMax`. */
  connectionLimits?: ConnectionLimits | null
  /** Takes 0-RTT data (RFC 8446 section 8: it can be replayed). Default false. */
  earlyData?: boolean
  /** Clients may use extended CONNECT (RFC 9220). Default true. */
  extendedConnect?: boolean
}

export interface QuicListening {
  readonly bind: Address
  readonly port: number
  /** Counts who comes from now on by these limits. */
  limit(limits: ConnectionLimits | null): void
  /** Takes no new connections; open ones live on. */
  stop(): void
  /** The same, and lets the open ones end: GOAWAY, no new streams. */
  drain(): void
  /** Ends everything at once. */
  close(): void
}

// What is in it has passed the brake.
const BUFFER_BYTES = 1024 * 1024

/** Listens for QUIC connections. Throws ListenError when the address cannot be had. */
export function listenQuic(options: QuicListenOptions, acceptor: QuicAcceptor): QuicListening {
  const listener = new QuicListener(options, acceptor)
  listener.open(options.bind.port)
  return listener
}

/** One UDP port of a worker. */
export class QuicListener implements QuicListening {
  readonly bind: Address
  port: number
  readonly acceptor: QuicAcceptor
  readonly limits: Required<QuicLimits>
  connectionLimits: ConnectionLimits | null
  readonly unread: UnreadBudget
  /** Slows down clients of which too much lies unread; null where the system has none. */
  brake: UdpBrake | null
  readonly host: string
  /** Connections that stand or are in their handshake. */
  readonly sessions: Set<AcceptedSession>
  private readonly options: QuicListenOptions
  private readonly unfollow: () => void
  private endpoint: NativeEndpoint | null
  private stopped: boolean

  constructor(options: QuicListenOptions, acceptor: QuicAcceptor) {
    this.options = options
    this.acceptor = acceptor
    this.bind = options.bind
    this.host = options.bind.host
    this.port = options.bind.port
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.connectionLimits = options.connectionLimits ?? null
    this.unread = new UnreadBudget(this.limits)
    this.brake = null
    this.sessions = new Set()
    this.endpoint = null
    this.stopped = false
    this.unfollow = options.tls.onChange(() => this.renew())
  }

  /** Begins to listen on `port` of the address. */
  open(port: number): void {
    const { QuicEndpoint, listen } = quicRuntime()
    const guess = nextDescriptor()
    const address = canRebind() ? interimAddress(this.host) : formatPlace(this.host, port)
    const { connectionsMax } = this.limits
    const endpoint = new QuicEndpoint({ address, maxConnectionsPerHost: 0, maxConnectionsTotal: Math.min(connectionsMax, 65_535) })
    endpoint.closed.catch(noop)
    // The runtime does it at once and answers later.
    listen(session => this.announce(session), { ...this.sessionOptions(), endpoint }).catch(error => this.tellRefusal(error))
    const bound = endpoint.address
    if (bound === undefined || !endpoint.listening) {
      void endpoint.destroy()
      this.unfollow()
      throw new ListenError(this.bind, "the runtime could not listen there")
    }
    this.endpoint = endpoint
    this.port = canRebind() ? this.place(findUdpSocket(bound.port, guess), port) : bound.port
  }

  private tellRefusal(error: Error): void {
    log.error("net", "the runtime refuses the settings of a QUIC listener", { bind: formatAddress(this.bind), reason: error.message })
  }

  /** Moves the runtime's socket to where it should be. */
  private place(fd: number, port: number): number {
    const { reusePort = false, steerOver = 0 } = this.options
    try {
      if (fd < 0) throw new ListenError(this.bind, "the runtime's socket is not to be found")
      ignoreIcmp(fd)
      this.brake = new UdpBrake(fd)
      const placed = rebind(fd, { host: this.host, port }, { reusePort, bufferBytes: BUFFER_BYTES })
      if (reusePort && steerOver > 0) steerByAddress(fd, steerOver)
      return placed
    } catch (error) {
      this.close()
      throw error
    }
  }

  get requiresCertificate(): boolean {
    return this.options.tls.clientCertificates === "required"
  }

  private sessionOptions(): object {
    const { tls, alpn = ["h3"], earlyData = false, extendedConnect = true } = this.options
    const asking = this.requiresCertificate ? { verifyClient: true, ca: [Buffer.from(tls.authorities ?? "")] } : {}
    const transport = transportOptions(this.limits, extendedConnect)
    return { ...transport, ...asking, sni: identitiesByName(tls.identities), alpn, enableEarlyData: earlyData }
  }

  private announce(session: NativeSession): void {
    this.sessions.add(new AcceptedSession(this, session))
  }

  /** New certificates. The runtime forgets to ask for client certificates when it swaps its own, so there the listener begins anew and its connections end. */
  private renew(): void {
    const { endpoint } = this
    const { tls } = this.options
    if (this.stopped || endpoint === null) return
    try {
      if (!this.requiresCertificate) return endpoint.setSNIContexts(identitiesByName(tls.identities), { replace: true })
      void endpoint.destroy()
      this.open(this.port)
    } catch (error) {
      log.error("net", "the QUIC listener could not take its new certificates", { bind: formatAddress(this.bind), reason: (error as Error).message })
    }
  }

  limit(limits: ConnectionLimits | null): void {
    this.connectionLimits = limits
  }

  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.unfollow()
    if (this.endpoint !== null) void this.endpoint.close()
  }

  drain(): void {
    this.stop()
    for (const session of this.sessions) session.goAway()
  }

  close(): void {
    this.stop()
    if (this.endpoint !== null && !this.endpoint.destroyed) void this.endpoint.destroy()
  }
}

/** The first one also serves whoever is not served by name. */
function identitiesByName(identities: readonly QuicIdentity[]): Record<string, NativeIdentity> {
  const entries: Record<string, NativeIdentity> = { __proto__: null } as never
  for (const [i, { names, cert, key }] of identities.entries()) {
    const identity = { keys: [createPrivateKey(key)], certs: [Buffer.from(cert)], authoritative: false }
    if (i === 0) entries["*"] = identity
    for (const name of names) entries[name] ??= identity
  }
  return entries
}

function formatPlace(host: string, port: number): string {
  if (host === "") return `[::]:${port}`
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}
