import { Timer, type TimerOwner } from "../../base/index.ts"
import { plainAddress } from "../connection-info.ts"
import { markSocket } from "../socket-mark.ts"
import type { DialFailure, DialHandle } from "../dial.ts"
import type { Time } from "../time.ts"
import type { QuicClientTls } from "./quic-client-tls.ts"
import { handshakeFacts, QuicConnection, type QuicConnectionFacts } from "./quic-connection.ts"
import { H3_EXCESSIVE_LOAD, type QuicConnectionHandler } from "./quic-handlers.ts"
import { DEFAULT_LIMITS, type QuicLimits, transportOptions } from "./quic-limits.ts"
import {
  errorCode,
  errorText,
  type NativeEndpoint,
  type NativeError,
  type NativeHandshake,
  type NativeSession,
  noop,
  quicRuntime,
} from "./quic-runtime.ts"
import { findUdpSocket, ignoreIcmp, nextDescriptor } from "./udp-port.ts"
import { UdpBrake } from "./udp-brake.ts"
import { UnreadBudget, UnreadMeter } from "./unread-meter.ts"

export interface QuicDialOptions {
  time: Time
  tls: QuicClientTls
  /** The name that is sent and that the certificate must bear; an address literal must be among the certificate's addresses. */
  serverName: string
  /** Default "h3". */
  alpn?: string
  /** Milliseconds until the connection must stand; 0 = as long as `idleMs`. */
  timeoutMs: number
  /** Milliseconds of silence after which the peer is asked for a sign of life (PING), so that a slow answer is waited for longer than `idleMs`. The connection then ends only when the peer does not acknowledge, or is closed. Default 0 = never. */
  keepAliveMs?: number
  limits?: QuicLimits
}

/** One of the two is called, once, after `dialQuic` has returned; neither after `cancel`. */
export interface QuicDialHandler {
  /** The connection stands. Answers who listens to it from now on; null closes it. */
  onOpen(connection: QuicConnection): QuicConnectionHandler | null
  /** UDP tells nobody that a port is closed: where nobody listens this is `timeout`. */
  onFailed(kind: DialFailure, detail: string): void
}

/** One QUIC connection to an address literal, from a socket of its own. */
export function dialQuic(target: { host: string; port: number }, options: QuicDialOptions, handler: QuicDialHandler): DialHandle {
  const attempt = new QuicDialAttempt(target, options, handler)
  attempt.start()
  return attempt
}

class QuicDialAttempt implements DialHandle, TimerOwner {
  private handler: QuicDialHandler | null
  private readonly target: { host: string; port: number }
  private readonly options: QuicDialOptions
  private readonly limits: Required<QuicLimits>
  private readonly peer: string
  private readonly timer: Timer
  private endpoint: NativeEndpoint | null
  private connection: QuicConnection | null
  private native: NativeSession | null
  private brake: UdpBrake | null
  private error: NativeError | null

  constructor(target: { host: string; port: number }, options: QuicDialOptions, handler: QuicDialHandler) {
    this.handler = handler
    this.target = target
    this.options = options
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.peer = `${target.host} ${target.port} ${options.serverName}`
    this.timer = new Timer(this)
    this.endpoint = null
    this.connection = null
    this.native = null
    this.brake = null
    this.error = null
  }

  start(): void {
    const { time, timeoutMs } = this.options
    if (timeoutMs > 0) time.wheel.schedule(this.timer, time.clock.now() + timeoutMs)
    const { host, port } = this.target
    const family = host.includes(":") ? "ipv6" : "ipv4"
    try {
      const { QuicEndpoint, connect } = quicRuntime()
      const guess = nextDescriptor()
      this.endpoint = new QuicEndpoint({ address: family === "ipv6" ? "[::]:0" : "0.0.0.0:0" })
      this.endpoint.closed.catch(noop)
      connect({ address: host, port, family }, this.sessionOptions(this.endpoint)).then(
        session => this.began(session),
        (error: Error) => this.fail("unreachable", error.message),
      )
      const bound = this.endpoint.address
      if (bound !== undefined) this.keepSocket(findUdpSocket(bound.port, guess))
    } catch (error) {
      queueMicrotask(() => this.fail("unreachable", (error as Error).message))
    }
  }

  private keepSocket(fd: number): void {
    if (fd < 0) return
    ignoreIcmp(fd)
    markSocket(fd)
    this.brake = new UdpBrake(fd)
  }

  private sessionOptions(endpoint: NativeEndpoint): object {
    const { tls, serverName, alpn = "h3", timeoutMs, keepAliveMs = 0 } = this.options
    const keepAlive = keepAliveMs > 0 ? { keepAlive: keepAliveMs } : {}
    const handshakeTimeout = timeoutMs > 0 ? timeoutMs + 1000 : this.limits.idleMs
    const callbacks = {
      onerror: (error: NativeError) => this.broke(error),
      onhandshake: (info: NativeHandshake) => this.shookHands(info),
      onsessionticket: (ticket: Uint8Array) => tls.keepTicket(this.peer, ticket),
    }
    return {
      ...transportOptions(this.limits, false),
      ...tls.settings(serverName, this.peer),
      ...callbacks,
      ...keepAlive,
      alpn,
      endpoint,
      handshakeTimeout,
    }
  }

  private began(session: NativeSession): void {
    this.native = session
    session.opened.catch(noop)
    session.onstream = stream => {
      if (this.connection !== null) this.connection.accept(stream)
      else stream.closed.catch(noop)
    }
    session.ondatagram = data => {
      if (this.connection !== null) this.connection.handler.onDatagram(this.connection, data)
    }
    session.ongoaway = () => this.connection?.peerGoesAway()
    const ended = (): void => this.ended()
    session.closed.then(ended, ended)
    if (this.handler === null) this.drop()
  }

  private broke(error: NativeError): void {
    this.error = error
  }

  private shookHands(info: NativeHandshake): void {
    const { native } = this
    const { tls, serverName } = this.options
    if (native === null || this.handler === null) return
    const problem = tls.problemOf(info, native.peerCertificate, serverName)
    if (problem === "") return this.stand(native, info)
    tls.keepTicket(this.peer, undefined)
    this.fail("tls", problem)
  }

  private stand(native: NativeSession, info: NativeHandshake): void {
    const handler = this.finish()
    if (handler === null) return
    const unread = new UnreadMeter(new UnreadBudget(this.limits), this.brake, this.target.host, this.target.port)
    const connection = new QuicConnection(native, this.facts(native, info), unread, true)
    this.connection = connection
    const listener = handler.onOpen(connection)
    if (listener === null) connection.close(H3_EXCESSIVE_LOAD)
    else connection.handler = listener
  }

  private facts(native: NativeSession, info: NativeHandshake): QuicConnectionFacts {
    const local = native.path?.local
    const { host, port } = this.target
    return {
      ...handshakeFacts(info),
      remoteAddress: host,
      remotePort: port,
      localAddress: plainAddress(local?.address),
      localPort: local?.port ?? 0,
      serverName: this.options.serverName,
      clientCertificate: null,
    }
  }

  cancel(): void {
    if (this.finish() !== null) this.drop()
  }

  onTimer(): void {
    this.fail("timeout", "the connection did not stand within the connect timeout")
  }

  /** The handler, once; afterwards the attempt is over. */
  private finish(): QuicDialHandler | null {
    const { handler } = this
    this.handler = null
    this.options.time.wheel.cancel(this.timer)
    return handler
  }

  private fail(kind: DialFailure, detail: string): void {
    const handler = this.finish()
    this.drop()
    if (handler !== null) handler.onFailed(kind, detail)
  }

  /** Gives the socket back; a connection on it ends without a word. */
  private drop(): void {
    const { endpoint } = this
    this.endpoint = null
    if (endpoint !== null && !endpoint.destroyed) endpoint.destroy().catch(noop)
  }

  private ended(): void {
    const { connection, error } = this
    if (connection !== null) connection.ended(error)
    else this.fail(failureOf(error), error === null ? "the peer closed the connection before it stood" : errorText(error))
    this.drop()
  }
}

/** The runtime tells all failures in one kind of error; those of TLS have codes from 256 (RFC 9001 section 4.8). */
function failureOf(error: NativeError | null): DialFailure {
  if (error?.message.includes("timed out") === true) return "timeout"
  const code = errorCode(error)
  return code >= 0x100 && code <= 0x1ff ? "tls" : "reset"
}
