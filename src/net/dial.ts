// HOT
import type { Wire, WireHandler } from "./wire.ts"

/** Where to dial: an address literal (names are resolved by the caller) or a Unix socket. */
export type DialTarget = { host: string; port: number } | { path: string }

export type DialFailure = "refused" | "unreachable" | "timeout" | "tls" | "reset"

export interface DialOptions {
  /** Milliseconds until the connection, with its TLS handshake, must stand. 0 = no limit. Default 0. */
  timeoutMs?: number
}

/** One of the two is called, once; neither after `cancel`. */
export interface DialHandler {
  /** The connection stands. Answers who listens to it from now on; null closes it. `alpn` is "" when none was agreed. */
  onOpen(wire: Wire, alpn: string): WireHandler | null
  onFailed(kind: DialFailure, detail: string): void
}

export interface DialHandle {
  /** Gives up, at any time before `onOpen` or `onFailed`; later it does nothing. */
  cancel(): void
}

class DialAttempt implements DialHandle, WireHandler {
  handler: DialHandler | null
  timer: ReturnType<typeof setTimeout> | null

  constructor(handler: DialHandler) {
    this.handler = handler
    this.timer = null
  }

  cancel(): void {
    this.take()
  }

  /** The handler, once; afterwards the attempt is over. */
  take(): DialHandler | null {
    const { handler } = this
    this.handler = null
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    return handler
  }

  fail(kind: DialFailure, detail: string): void {
    const handler = this.take()
    if (handler !== null) handler.onFailed(kind, detail)
  }

  opened(wire: Wire): void {
    const handler = this.take()
    if (handler === null) return wire.terminate()
    const next = handler.onOpen(wire, "")
    if (next === null) return wire.terminate()
    wire.data = next
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
  onClose(_wire: Wire, error: Error | null): void {
    this.fail("reset", error === null ? "closed before it stood" : error.message)
  }
}

type DialedWire = Wire & { setNoDelay(on: boolean): boolean }

const socketHandlers = {
  open(wire: DialedWire): void {
    wire.setNoDelay(true)
    ;(wire.data as unknown as DialAttempt).opened(wire)
  },
  data(wire: Wire, chunk: Buffer): void {
    wire.data.onData(wire, chunk)
  },
  drain(wire: Wire): void {
    wire.data.onDrain(wire)
  },
  end(wire: Wire): void {
    wire.data.onEnd(wire)
  },
  close(wire: Wire, error?: Error): void {
    wire.data.onClose(wire, error ?? null)
  },
  error(): void {},
  connectError(wire: Wire, error: Error & { code?: string }): void {
    ;(wire.data as unknown as DialAttempt).fail(failureOf(error.code ?? ""), error.code ?? error.message)
  },
}

function failureOf(code: string): DialFailure {
  if (code === "ECONNREFUSED") return "refused"
  if (code === "ETIMEDOUT") return "timeout"
  if (code === "ECONNRESET") return "reset"
  return "unreachable"
}

function expire(attempt: DialAttempt): void {
  attempt.fail("timeout", "no connection in time")
}

/** Opens one connection. Never throws and never calls back before it has returned. */
export function dial(target: DialTarget, options: DialOptions, handler: DialHandler): DialHandle {
  const attempt = new DialAttempt(handler)
  if (options.timeoutMs) attempt.timer = setTimeout(expire, options.timeoutMs, attempt)
  const settings = "path" in target
    ? { unix: target.path, allowHalfOpen: true, data: attempt, socket: socketHandlers }
    : { hostname: target.host, port: target.port, allowHalfOpen: true, data: attempt, socket: socketHandlers }
  Bun.connect(settings as never)
  return attempt
}
