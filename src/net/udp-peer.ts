// HOT
import type { DialFailure, DialHandle } from "./dial.ts"
import { markUdpSocket } from "./socket-mark.ts"

/** Callbacks of one UDP peer. They are plain methods; none may throw. */
export interface UdpPeerHandler {
  /** One datagram, maybe an empty one. The memory is the receiver's. */
  onDatagram(peer: UdpPeer, data: Uint8Array): void
  /** An ICMP error or another of the socket has ended it; the last call. Not made after our own `close`. */
  onUdpError(peer: UdpPeer, error: string): void
}

/** One of the two is called, once, after `dialUdp` has returned; neither after `cancel`. */
export interface UdpDialHandler {
  /** The socket is there; whether anybody answers it is not known. Answers who listens; null closes it. */
  onOpen(peer: UdpPeer): UdpPeerHandler | null
  onFailed(kind: DialFailure, detail: string): void
}

export interface UdpTarget {
  /** Address literal. */
  readonly host: string
  readonly port: number
}

// The parts of the runtime's socket that are used.
interface NativeUdp {
  readonly port: number
  send(data: Uint8Array): boolean
  close(): void
}

interface NativeOptions {
  hostname: string
  connect: { hostname: string; port: number }
  socket: object
}

// With `connect` the kernel lets nobody else's datagrams in, and tells of ICMP errors (udp(7)).
const open = Bun.udpSocket as unknown as (options: NativeOptions) => Promise<NativeUdp>

/**
 * A UDP socket for one address and nobody else. It keeps nothing: what comes is handed on at once, and what the kernel does not take is lost, as datagrams may be.
 * `close` it when it is not needed any more.
 */
export class UdpPeer implements DialHandle {
  /** Datagrams that the kernel had no room for, or that are longer than the way carries. */
  unsent = 0
  private dialer: UdpDialHandler | null
  private handler: UdpPeerHandler | null = null
  private native: NativeUdp | null = null
  private closed = false

  constructor(dialer: UdpDialHandler) {
    this.dialer = dialer
  }

  /** Sends one datagram, or loses it. The memory may be used again at once. */
  send(data: Uint8Array): void {
    if (this.closed) return
    try {
      if (!this.native!.send(data)) this.unsent++
    } catch (error) {
      this.unsent++
      this.failed(error)
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.handler = null
    this.dialer = null
    if (this.native !== null) this.native.close()
    this.native = null
  }

  cancel(): void {
    this.close()
  }

  /** From the runtime. */
  opened(native: NativeUdp): void {
    if (this.closed) {
      native.close()
      return
    }
    this.native = native
    const { dialer } = this
    this.dialer = null
    const handler = dialer!.onOpen(this)
    if (handler === null) this.close()
    else if (!this.closed) this.handler = handler
  }

  /** From the runtime: it could not be opened. */
  refused(error: unknown): void {
    const { dialer } = this
    this.close()
    if (dialer !== null) dialer.onFailed("unreachable", codeOf(error))
  }

  /** From the runtime. */
  received(data: Uint8Array): void {
    if (this.handler !== null) this.handler.onDatagram(this, data)
  }

  /** From the runtime: the socket has an error, which may be that of a datagram sent long ago. One that is too long for the way is lost, and the way stands. */
  failed(error: unknown): void {
    const code = codeOf(error)
    if (code === "EMSGSIZE" || code === "ENOBUFS" || code === "EAGAIN") return
    const { handler } = this
    this.close()
    if (handler !== null) handler.onUdpError(this, code)
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string } | null)?.code ?? String(error)
}

/** Opens a UDP socket that talks to one address. Does not throw. */
// allow(closure): once a socket; the runtime has no place for who it belongs to
export function dialUdp(target: UdpTarget, handler: UdpDialHandler): DialHandle {
  const peer = new UdpPeer(handler)
  const refused = (error: unknown): void => peer.refused(error)
  try {
    open(optionsOf(target, peer)).then(native => {
      markUdpSocket(native.port)
      peer.opened(native)
    }, refused)
  } catch (error) {
    // No way there, or no descriptor left: the runtime throws, and nobody is told before we return.
    queueMicrotask(() => refused(error))
  }
  return peer
}

// allow(closure): as above
function optionsOf({ host, port }: UdpTarget, peer: UdpPeer): NativeOptions {
  return {
    hostname: host.includes(":") ? "::" : "0.0.0.0",
    connect: { hostname: host, port },
    socket: {
      data: (_native: NativeUdp, data: Uint8Array): void => peer.received(data),
      error: (error: unknown): void => peer.failed(error),
    },
  }
}
