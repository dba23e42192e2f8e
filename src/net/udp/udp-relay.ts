// HOT
import { plainAddress } from "../connection-info.ts"

/** Callbacks of a relay. They are plain methods; none may throw. One of the first two is called, once, after `openUdpRelay` has returned; neither after `close`. */
export interface UdpRelayHandler {
  /** The socket is there, at this port. */
  onRelayOpen(port: number): void
  onRelayFailed(detail: string): void
  /** One datagram, from wherever; IPv4 is never in mapped form. The memory is the receiver's. */
  onRelayDatagram(data: Buffer, port: number, address: string): void
}

// The part of the runtime's socket that is used.
interface NativeUdp {
  readonly port: number
  send(data: Uint8Array, port: number, address: string): boolean
  close(): void
}

const open = Bun.udpSocket as unknown as (options: object) => Promise<NativeUdp>

/** A UDP socket that hears from everybody and sends to whoever it is told. It keeps nothing: what the kernel does not take is lost, as datagrams may be. */
export class UdpRelay {
  private handler: UdpRelayHandler | null
  private native: NativeUdp | null = null

  constructor(handler: UdpRelayHandler) {
    this.handler = handler
  }

  /** Sends one datagram, or loses it. The memory may be used again at once. */
  send(data: Uint8Array, port: number, address: string): void {
    if (this.native === null) return
    try {
      this.native.send(data, port, address)
    } catch {
      // Too long for the way, or nobody there: lost.
    }
  }

  close(): void {
    this.handler = null
    this.native?.close()
    this.native = null
  }

  /** From the runtime. */
  opened(native: NativeUdp): void {
    if (this.handler === null) {
      native.close()
      return
    }
    this.native = native
    this.handler.onRelayOpen(native.port)
  }

  /** From the runtime. */
  refused(error: unknown): void {
    const { handler } = this
    this.handler = null
    handler?.onRelayFailed((error as { code?: string } | null)?.code ?? String(error))
  }

  /** From the runtime. */
  received(data: Buffer, port: number, address: string): void {
    this.handler?.onRelayDatagram(data, port, plainAddress(address))
  }
}

/** Opens a socket on this address, at a port of the system's choice. Does not throw. */
// allow(closure): once a socket; the runtime has no place for who it belongs to
export function openUdpRelay(address: string, handler: UdpRelayHandler): UdpRelay {
  const relay = new UdpRelay(handler)
  const refused = (error: unknown): void => relay.refused(error)
  const socket = {
    data: (_native: NativeUdp, data: Buffer, port: number, from: string): void => relay.received(data, port, from),
    // ICMP: somebody whom we sent to is not there. Others may be.
    error: ignore,
  }
  try {
    open({ hostname: address, port: 0, socket }).then(native => relay.opened(native), refused)
  } catch (error) {
    queueMicrotask(() => refused(error))
  }
  return relay
}

function ignore(): void {}
