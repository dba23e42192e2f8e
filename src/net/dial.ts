// HOT
import { Timer, type TimerOwner } from "../base/index.ts"
import { dispatchClose, dispatchData, dispatchDrain, dispatchEnd, dispatchError, handOver, type NativeWire, silence } from "./dispatch.ts"
import { beginConnect, connectError, errorName, hasLibc, openPair } from "./libc.ts"
import { notePlain } from "./lent-read.ts"
import type { Time } from "./time.ts"
import { type ClientTls, sentName } from "./tls/client-tls.ts"
import type { Wire, WireHandler } from "./wire.ts"

/** Where to dial: an address literal (names are resolved by the caller) or a Unix socket. */
export type DialTarget = { host: string; port: number } | { path: string }

/**
 * `refused`: nobody listens there; `unreachable`: no way, or no socket left; `reset`: taken and dropped; `tls`: the handshake failed or the certificate is not good.
 * Of a proxy on the way: `denied`: it did not open the way; `login`: it wants to know who we are, or knows better; `garbled`: what it says is no answer.
 */
export type DialFailure = "refused" | "unreachable" | "timeout" | "tls" | "reset" | "denied" | "login" | "garbled"

export interface DialOptions {
  time: Time
  /** Milliseconds until the connection, with its TLS handshake, must stand; 0 = no limit. */
  timeoutMs: number
  /** Default null: no TLS. */
  tls?: ClientTls | null
  /** The name that is sent (SNI) and that the certificate must bear; an address literal is not sent, and must be among the certificate's addresses (RFC 6066 section 3, RFC 9525). Needed with `tls`. */
  serverName?: string
  /** Sent in front of everything, before TLS too: a PROXY protocol header. At most a few hundred octets. */
  preface?: Uint8Array | null
  /** Address literal of this machine that the connection comes from, of the same family as the target. Default: the system chooses. */
  source?: string | undefined
}

/** One of the two is called, once, after `dial` has returned; neither after `cancel`. */
export interface DialHandler {
  /** The connection stands. Answers who listens to it from now on; null closes it. `alpn` is "" when none was agreed. */
  onOpen(wire: Wire, alpn: string): WireHandler | null
  onFailed(kind: DialFailure, detail: string): void
}

export interface DialHandle {
  /** Gives up, at any time before `onOpen` or `onFailed`; later it does nothing. */
  cancel(): void
}

/** One connection on its way; listens to the socket until it stands. */
class DialAttempt implements DialHandle, WireHandler, TimerOwner {
  private handler: DialHandler | null
  private readonly options: DialOptions
  private readonly timer: Timer
  private wire: NativeWire | null
  /** Still inside `dial`: what is known now is told on the next tick. */
  starting: boolean
  /** Whose TLS session to resume; "" before TLS. */
  peer: string
  private failure: DialFailure
  private detail: string

  constructor(options: DialOptions, handler: DialHandler) {
    this.handler = handler
    this.options = options
    this.timer = new Timer(this)
    this.wire = null
    this.starting = true
    this.peer = ""
    this.failure = "unreachable"
    this.detail = ""
    const { time, timeoutMs } = options
    if (timeoutMs > 0) time.wheel.schedule(this.timer, time.clock.now() + timeoutMs)
  }

  cancel(): void {
    this.finish()
    this.drop()
  }

  onTimer(): void {
    this.fail("timeout", "the connection did not stand within the connect timeout")
  }

  /** The handler, once; afterwards the attempt is over. */
  private finish(): DialHandler | null {
    const { handler } = this
    this.handler = null
    this.options.time.wheel.cancel(this.timer)
    return handler
  }

  private drop(): void {
    const { wire } = this
    this.wire = null
    if (wire !== null) wire.terminate()
  }

  fail(failure: DialFailure, detail: string): void {
    this.failure = failure
    this.detail = detail
    if (this.starting) process.nextTick(tellFailure, this)
    else this.tell()
  }

  tell(): void {
    const handler = this.finish()
    this.drop()
    if (handler !== null) handler.onFailed(this.failure, this.detail)
  }

  /** The socket exists; with `beginConnect` it is not connected yet. */
  attach(wire: NativeWire): void {
    if (this.handler === null) return wire.terminate()
    this.wire = wire
    const { tls } = this.options
    if (this.peer === "" || tls === null || tls === undefined) return
    const session = tls.sessionFor(this.peer)
    if (session !== undefined) wire.setSession(session)
  }

  /** The transport stands: the first time that it can be written to. */
  onDrain(): void {
    const { wire, options } = this
    if (wire === null || wire.data !== this) return
    const error = hasLibc ? connectError(wire.fd) : 0
    if (error !== 0) return this.fail(failureOf(errorName(error)), errorName(error))
    if (options.tls === null || options.tls === undefined || (options.preface ?? null) !== null) this.connected(wire)
  }

  /** Goes on with a connection of somebody else's. */
  take(wire: NativeWire): void {
    const { tls } = this.options
    if (wire.readyState <= 0 || tls === null || tls === undefined) return this.fail("reset", "the connection was lost before its TLS handshake")
    this.wire = wire
    this.startTls(wire, tls)
  }

  connected(wire: NativeWire): void {
    const { preface, tls } = this.options
    if (preface !== null && preface !== undefined && wire.write(preface) !== preface.length)
      return this.fail("reset", "the preface could not be sent")
    if (tls === null || tls === undefined) {
      notePlain(wire)
      this.stand(wire, "")
    } else this.startTls(wire, tls)
  }

  private startTls(wire: NativeWire, tls: ClientTls): void {
    wire.data = silence
    const name = this.options.serverName ?? ""
    this.peer = sessionKey(wire.remoteAddress, wire.remotePort, name)
    const pair = wire.upgradeTLS({ data: this, tls: tls.settings(name), socket: handlersOf(tls) })
    if (pair === undefined) return this.fail("reset", "the connection was lost before its TLS handshake")
    pair[0].data = silence
    this.wire = pair[1]
  }

  onHandshake(wire: NativeWire, success: boolean, error: (Error & { code?: string }) | null): void {
    const { tls, serverName } = this.options
    if (this.handler === null || tls === null || tls === undefined) return wire.terminate()
    const problem = tls.problemOf(wire, serverName ?? "", success, error)
    if (problem !== "") {
      tls.keepSession(this.peer, undefined)
      // Who goes in the middle says nothing about TLS: whatever stands in front of a peer that is away does so.
      return this.fail(error?.code === "ECONNRESET" ? "reset" : "tls", problem)
    }
    this.stand(wire, wire.alpnProtocol || "")
  }

  private stand(wire: NativeWire, alpn: string): void {
    const handler = this.finish()
    this.wire = null
    wire.data = silence
    if (handler === null) return wire.terminate()
    handOver(wire, handler.onOpen(wire, alpn))
  }

  onData(): void {}
  onEnd(): void {}

  onClose(wire: Wire, error: (Error & { code?: string }) | null): void {
    if (wire !== this.wire || this.handler === null) return
    this.wire = null
    const code = error?.code ?? ""
    this.fail(code === "" ? "reset" : failureOf(code), code === "" ? "the peer closed the connection before it stood" : code)
  }
}

function tellFailure(attempt: DialAttempt): void {
  attempt.tell()
}

function failureOf(code: string): DialFailure {
  if (code === "ECONNREFUSED") return "refused"
  if (code === "ETIMEDOUT") return "timeout"
  if (code === "ECONNRESET" || code === "EPIPE") return "reset"
  return "unreachable"
}

// A socket from `beginConnect` opens at once and drains when it is connected; any other opens when it is connected.
function onOpen(wire: NativeWire): void {
  if (wire.data instanceof DialAttempt) wire.data.attach(wire)
}

const plainHandlers = { open: onOpen, data: dispatchData, drain: dispatchDrain, end: dispatchEnd, close: dispatchClose, error: dispatchError }

/** Callbacks of all sockets under the same TLS settings: sessions arrive when the connection has its own listener already. */
function handlersOf(tls: ClientTls): object {
  tls.handlers ??= {
    open: onOpen,
    data: dispatchData,
    drain: dispatchDrain,
    end: dispatchEnd,
    close: dispatchClose,
    error: dispatchError,
    handshake: onHandshake,
    // allow(closure): once for the settings
    session(wire: NativeWire, session: Buffer): void {
      tls.keepSession(sessionKey(wire.remoteAddress, wire.remotePort, wire.getServername() ?? ""), session)
    },
  }
  return tls.handlers
}

function onHandshake(wire: NativeWire, success: boolean, error: Error | null): void {
  if (wire.data instanceof DialAttempt) wire.data.onHandshake(wire, success, error)
}

function sessionKey(address: string | undefined, port: number | undefined, serverName: string): string {
  return `${address}:${port}/${sentName(serverName)}`
}

const connectedHandlers = {
  data: dispatchData,
  drain: dispatchDrain,
  end: dispatchEnd,
  close: dispatchClose,
  error: dispatchError,
  open(wire: NativeWire): void {
    const attempt = wire.data
    if (!(attempt instanceof DialAttempt)) return
    attempt.attach(wire)
    attempt.connected(wire)
  },
  connectError(wire: NativeWire, error: Error & { code?: string }): void {
    const code = error.code ?? error.message
    // No such socket file is the same to the caller as a port that nobody listens on.
    if (wire.data instanceof DialAttempt) wire.data.fail(code === "ENOENT" ? "refused" : failureOf(code), code)
  },
}

/** Opens one connection. Does not throw. */
export function dial(target: DialTarget, options: DialOptions, handler: DialHandler): DialHandle {
  const attempt = new DialAttempt(options, handler)
  if (!("path" in target) && hasLibc) dialDescriptor(target.host, target.port, options, attempt)
  else dialNatively(target, attempt)
  attempt.starting = false
  return attempt
}

/** TLS, which `options` must have, over a connection that stands and has said nothing: one without TLS. Its former listener hears nothing more. Does not throw. */
export function dialOver(wire: Wire, options: DialOptions, handler: DialHandler): DialHandle {
  const attempt = new DialAttempt(options, handler)
  attempt.take(wire as NativeWire)
  attempt.starting = false
  return attempt
}

/**
 * A connection, with TLS where `options` say so, whose other end is `far`: for what is no socket of its own. `far` is told its wire once, and gives its listener.
 * Does not throw. Linux only; elsewhere it fails.
 */
export function dialPair(options: DialOptions, handler: DialHandler, far: (wire: Wire) => WireHandler): DialHandle {
  const attempt = new DialAttempt(options, handler)
  const pair = openPair()
  if (pair === null) attempt.fail("unreachable", "no pair of sockets")
  else {
    void Bun.connect({ fd: pair[1], allowHalfOpen: true, data: new FarEnd(far), socket: farHandlers } as never)
    openDescriptor(pair[0], "", options, attempt)
  }
  attempt.starting = false
  return attempt
}

/** Listens until it knows who does. */
class FarEnd implements WireHandler {
  private readonly far: (wire: Wire) => WireHandler

  constructor(far: (wire: Wire) => WireHandler) {
    this.far = far
  }

  opened(wire: NativeWire): void {
    notePlain(wire)
    wire.data = this.far(wire)
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}
}

const farHandlers = {
  data: dispatchData,
  drain: dispatchDrain,
  end: dispatchEnd,
  close: dispatchClose,
  error: dispatchError,
  open(wire: NativeWire): void {
    if (wire.data instanceof FarEnd) wire.data.opened(wire)
  },
}

// The runtime's own way to connect hands out the socket only when it is connected, so a connection to a silent address could not be given up and would
// hold its descriptor for two minutes.
function dialDescriptor(host: string, port: number, options: DialOptions, attempt: DialAttempt): void {
  const fd = beginConnect(host, port, options.source ?? "")
  if (fd < 0) return attempt.fail(failureOf(errorName(-fd)), errorName(-fd))
  openDescriptor(fd, `${host}:${port}`, options, attempt)
}

function openDescriptor(fd: number, place: string, options: DialOptions, attempt: DialAttempt): void {
  const { tls, preface } = options
  const early = tls !== null && tls !== undefined && (preface ?? null) === null
  if (!early) return void Bun.connect({ fd, allowHalfOpen: true, data: attempt, socket: plainHandlers } as never)
  const name = options.serverName ?? ""
  attempt.peer = `${place}/${sentName(name)}`
  void Bun.connect({ fd, allowHalfOpen: true, data: attempt, socket: handlersOf(tls), tls: tls.settings(name) } as never)
}

function dialNatively(target: DialTarget, attempt: DialAttempt): void {
  const settings =
    "path" in target
      ? { unix: target.path, allowHalfOpen: true, data: attempt, socket: connectedHandlers }
      : { hostname: target.host, port: target.port, allowHalfOpen: true, data: attempt, socket: connectedHandlers }
  void Bun.connect(settings as never)
}
