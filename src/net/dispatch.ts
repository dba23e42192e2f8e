// HOT
import type { Wire, WireHandler } from "./wire.ts"

// What every connection's callbacks come down to, accepted or dialed: a call of whoever listens now.

export function dispatchData(wire: Wire, chunk: Buffer): void {
  wire.data.onData(wire, chunk)
}

export function dispatchDrain(wire: Wire): void {
  wire.data.onDrain(wire)
}

export function dispatchEnd(wire: Wire): void {
  wire.data.onEnd(wire)
}

// The runtime tells what broke an established TLS session in `error` and then closes without saying it again.
let brokenWire: Wire | null = null
let brokenBy: Error | null = null

export function dispatchClose(wire: Wire, error?: Error): void {
  let reason = error ?? null
  if (wire === brokenWire) {
    reason = reason ?? brokenBy
    brokenWire = null
    brokenBy = null
  }
  wire.data.onClose(wire, reason)
}

/** A TLS session that failed, which the runtime closes after its alert; or a handler that threw in spite of its contract, which ends that connection alone. */
export function dispatchError(wire: Wire, error: Error & { code?: string }): void {
  brokenWire = wire
  brokenBy = error
  if (error.code !== "EPROTO") wire.terminate()
}

/** Listens to nothing: for a connection on its way out, and for the ciphertext side of an upgraded one. */
export const silence: WireHandler = {
  onData(): void {},
  onDrain(): void {},
  onEnd(): void {},
  onClose(): void {},
}

/** The socket of the runtime where it is more than a Wire. */
export interface NativeWire extends Wire {
  readonly fd: number
  readonly readyState: number
  readonly authorized: boolean
  readonly alpnProtocol: string | false | null
  getServername(): string | undefined
  getTLSVersion(): string
  isSessionReused(): boolean
  /** Only in `open`, before the handshake. */
  setSession(session: Buffer): void
  getAuthorizationError(): (Error & { code?: string }) | null
  getPeerX509Certificate(): import("node:crypto").X509Certificate | undefined
  upgradeTLS(options: object): [raw: NativeWire, secure: NativeWire] | undefined
}

/** Gives a connection to its new listener, which may have closed it already while it made up its mind. */
export function handOver(wire: NativeWire, next: WireHandler | null): void {
  if (next === null) return wire.terminate()
  wire.data = next
  if (wire.readyState <= 0) next.onClose(wire, null)
}
