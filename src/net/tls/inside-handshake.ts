import { Timer, type TimerOwner } from "../../base/index.ts"
import { dispatchClose, dispatchData, dispatchDrain, dispatchEnd, dispatchError, handOver, type NativeWire, silence } from "../dispatch.ts"
import type { Time } from "../time.ts"
import type { Wire, WireHandler } from "../wire.ts"
import { alpnWireFormat, type NativeContext } from "./context.ts"

/** How long the runtime may take to send its alert and close. */
const CLOSING_MS = 1000

/** Why a client did not let us be the server: it said that the certificate is not good, it left without a word after it had seen it, or another reason. */
export type InsideFailure = "certificate" | "left" | "handshake" | "timeout"

export interface InsideOptions {
  readonly time: Time
  /** Milliseconds for the handshake; 0 = no limit. */
  readonly handshakeMs: number
  readonly context: NativeContext
  /** Protocols to agree on; empty = the client offers none. */
  readonly protocols: readonly string[]
}

/** One of the two is called, once. */
export interface InsideHandler {
  /** The client speaks through us now. Answers who listens to it; null closes it. `alpn` is "" when none was agreed. */
  onSecured(wire: Wire, alpn: string, tlsVersion: string): WireHandler | null
  onRefused(failure: InsideFailure, detail: string): void
}

/** The server's side of TLS on a connection of a client that meant to speak to somebody else. */
class InsideHandshake implements WireHandler, TimerOwner {
  private readonly options: InsideOptions
  private readonly handler: InsideHandler
  private readonly timer: Timer
  private readonly raw: NativeWire
  private over = false
  /** Number of the alert that the client has sent in the clear, -1 = none. */
  private alert = -1

  constructor(raw: NativeWire, options: InsideOptions, handler: InsideHandler) {
    this.raw = raw
    this.options = options
    this.handler = handler
    this.timer = new Timer(this)
    const { time, handshakeMs } = options
    if (handshakeMs > 0) time.wheel.schedule(this.timer, time.clock.now() + handshakeMs)
  }

  watch(raw: NativeWire): void {
    raw.data = this.over ? silence : new Ciphertext(this)
  }

  onHandshake(wire: NativeWire, success: boolean, error: (Error & { code?: string }) | null): void {
    if (this.over) return
    if (!success) return this.fail(this.alert >= 0 ? alertFailure(this.alert) : failureOf(error), this.detailOf(error))
    this.over = true
    this.options.time.wheel.cancel(this.timer)
    this.raw.data = silence
    wire.data = silence
    handOver(wire, this.handler.onSecured(wire, wire.alpnProtocol || "", wire.getTLSVersion()))
  }

  private detailOf(error: Error | null): string {
    if (this.alert >= 0) return `the client sent alert ${this.alert}`
    return error === null ? "the handshake failed" : error.message
  }

  /**
   * What the client sends, as it is on the wire. Clients that use OpenSSL send the alert about our certificate in the clear although keys are agreed by then
   * (TLS 1.3); to the runtime that is a record of a wrong length.
   */
  ciphertext(chunk: Buffer): void {
    const at = chunk.length - ALERT_OCTETS
    if (at >= 0 && !this.over && chunk[at] === ALERT && chunk.readUInt16BE(at + 3) === 2) this.alert = chunk[at + 6]!
  }

  private fail(failure: InsideFailure, detail: string): void {
    this.over = true
    const { time } = this.options
    // The alert still has to leave.
    time.wheel.schedule(this.timer, time.clock.now() + CLOSING_MS)
    this.handler.onRefused(failure, detail)
    this.raw.end()
  }

  onTimer(): void {
    if (!this.over) this.fail("timeout", "the TLS handshake did not finish in time")
    this.raw.terminate()
  }

  onData(): void {}
  onDrain(): void {}

  onEnd(wire: Wire): void {
    wire.end()
  }

  onClose(): void {
    this.options.time.wheel.cancel(this.timer)
    if (this.over) return
    this.over = true
    this.handler.onRefused("left", "the client closed the connection during the handshake")
  }
}

const ALERT = 21
/** Of a whole record with an alert in the clear. */
const ALERT_OCTETS = 7

/** The alerts 42 to 46, 48 and 49 are about certificates (RFC 8446 section 6). */
function alertFailure(alert: number): InsideFailure {
  return (alert >= 42 && alert <= 46) || alert === 48 || alert === 49 ? "certificate" : "handshake"
}

/** The raw side of a connection during its handshake. */
class Ciphertext implements WireHandler {
  private readonly waiting: InsideHandshake

  constructor(waiting: InsideHandshake) {
    this.waiting = waiting
  }

  onData(_wire: Wire, chunk: Buffer): void {
    this.waiting.ciphertext(chunk)
  }

  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}
}

/** Alerts by which a client says that it does not believe the certificate (RFC 8446 section 6.2). */
const DISBELIEF = /unknown[ _]ca|bad[ _]certificate|certificate[ _](?:unknown|expired|revoked)|unsupported[ _]certificate|access[ _]denied/i

function failureOf(error: (Error & { code?: string }) | null): InsideFailure {
  if (error === null) return "handshake"
  if (error.code === "ECONNRESET") return "left"
  return DISBELIEF.test(`${error.code ?? ""} ${error.message}`) ? "certificate" : "handshake"
}

const handlers = {
  open(): void {},
  data: dispatchData,
  drain: dispatchDrain,
  end: dispatchEnd,
  close: dispatchClose,
  error: dispatchError,
  handshake(wire: NativeWire, success: boolean, error: Error | null): void {
    if (wire.data instanceof InsideHandshake) wire.data.onHandshake(wire, success, error)
  },
}

/**
 * Begins TLS as the server on a plain connection of the runtime. `first` is what the client has said of its handshake, so far as it was read. The connection's own callbacks see
 * nothing more but its end. False = it was lost meanwhile, and nobody is called.
 */
export function secureInside(wire: Wire, first: Buffer, options: InsideOptions, handler: InsideHandler): boolean {
  const raw = wire as NativeWire
  const waiting = new InsideHandshake(raw, options, handler)
  raw.data = silence
  const tls = {
    secureContext: options.context,
    ALPNProtocols: alpnWireFormat(options.protocols),
    requestCert: false,
    rejectUnauthorized: false,
    minVersion: 0x0303,
    maxVersion: 0x0304,
  }
  const pair = raw.upgradeTLS({ isServer: true, initialData: first.length > 0 ? first : undefined, data: waiting, tls, socket: handlers })
  if (pair === undefined) {
    waiting.onClose()
    raw.terminate()
    return false
  }
  waiting.watch(pair[0])
  return true
}
