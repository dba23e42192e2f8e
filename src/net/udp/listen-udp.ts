import { type Address, formatHostPort } from "../../base/index.ts"
import type { Acceptor } from "../accept-point.ts"
import { plainAddress } from "../connection-info.ts"
import { type ConnectionLimits, REFUSED, UNTRACKED } from "../connection-limits.ts"
import { ListenError } from "../listen-error.ts"
import { canRebind, findUdpSocket, interimAddress, nextDescriptor, rebind } from "../quic/udp-port.ts"
import { type UdpClientOwner, UdpClientWire } from "./udp-client-wire.ts"

export interface UdpListenOptions {
  readonly bind: Exclude<Address, { path: string }>
  /** Several workers share the port; the system keeps each client with one of them. */
  readonly reusePort: boolean
  /** Counts clients as other listeners count connections. */
  readonly limits: ConnectionLimits | null
}

export interface UdpListening {
  readonly bind: Address
  readonly port: number
  /** Takes clients from now on; until then what comes is lost. */
  start(): void
  /** Takes no new clients; those that are known go on. */
  stop(): void
  /** Closes the socket; sessions end. */
  close(): void
  limit(limits: ConnectionLimits): void
}

// The part of the runtime's socket that is used.
interface NativeUdp {
  readonly port: number
  send(data: Uint8Array, port: number, address: string): boolean
  close(): void
}

const openUdp = Bun.udpSocket as unknown as (options: object) => Promise<NativeUdp>

/** Octets that the kernel keeps for us, each way. */
const BUFFER_BYTES = 4 * 1024 * 1024

/** Opens a UDP port whose clients are handed on as if they were connections. Rejects with ListenError. */
export async function listenUdp(options: UdpListenOptions, acceptor: Acceptor): Promise<UdpListening> {
  const port = new UdpPort(options, acceptor)
  await port.open()
  return port
}

class UdpPort implements UdpListening, UdpClientOwner {
  readonly bind: UdpListenOptions["bind"]
  port = 0
  private readonly reusePort: boolean
  private readonly acceptor: Acceptor
  private limits: ConnectionLimits | null
  private native: NativeUdp | null = null
  private readonly clients = new Map<string, UdpClientWire>()
  private stopped = true

  constructor({ bind, reusePort, limits }: UdpListenOptions, acceptor: Acceptor) {
    this.bind = bind
    this.reusePort = reusePort
    this.limits = limits
    this.acceptor = acceptor
  }

  async open(): Promise<void> {
    const { bind } = this
    const socket = {
      data: (_native: NativeUdp, data: Buffer, port: number, address: string) => this.received(data, port, address),
      // ICMP of a client that has gone: its session ends when it has been silent for long enough.
      error: () => {},
    }
    if (!canRebind()) {
      this.native = await openUdp({ hostname: bind.host === "" ? "::" : bind.host, port: bind.port, socket })
      this.port = this.native.port
      return
    }
    const guess = nextDescriptor()
    const interim = interimAddress(bind.host).startsWith("[") ? "::" : "0.0.0.0"
    const native = await openUdp({ hostname: interim, port: 0, socket })
    try {
      const fd = findUdpSocket(native.port, guess)
      if (fd < 0) throw new ListenError(bind, "EBADF")
      this.port = rebind(fd, bind, { reusePort: this.reusePort, bufferBytes: BUFFER_BYTES })
    } catch (error) {
      native.close()
      throw error
    }
    this.native = native
  }

  private received(data: Buffer, port: number, from: string): void {
    const address = plainAddress(from)
    const key = formatHostPort(address, port)
    const known = this.clients.get(key)
    if (known !== undefined) known.received(data)
    else if (!this.stopped) this.accept(data, key, { address, port })
  }

  private accept(data: Buffer, key: string, remote: { address: string; port: number }): void {
    const { limits } = this
    const wire = new UdpClientWire(this, key, remote, { address: this.bind.host, port: this.port })
    if (limits !== null && !limits.openOne()) {
      limits.closeOne()
      this.acceptor.onRefused?.(wire, wire, "connectionsMax")
      return
    }
    const slot = limits?.limitsClients ? limits.admit(remote.address) : UNTRACKED
    if (slot === REFUSED) {
      limits!.closeOne()
      this.acceptor.onRefused?.(wire, wire, "connectionsPerClientMax")
      return
    }
    wire.slot = slot
    this.clients.set(key, wire)
    const handler = this.acceptor.onOpen(wire, wire)
    if (handler === null) return wire.terminate()
    wire.data = handler
    wire.received(data)
  }

  sendTo(data: Uint8Array, wire: UdpClientWire): void {
    try {
      this.native?.send(data, wire.remotePort, wire.remoteAddress)
    } catch {
      // Lost, as datagrams may be.
    }
  }

  closed(wire: UdpClientWire): void {
    if (this.clients.get(wire.key) !== wire) return
    this.clients.delete(wire.key)
    const { limits } = this
    if (limits === null) return
    limits.closeOne()
    if (wire.slot !== UNTRACKED) limits.release(wire.slot)
  }

  limit(limits: ConnectionLimits): void {
    this.limits = limits
  }

  start(): void {
    this.stopped = false
  }

  stop(): void {
    this.stopped = true
    if (this.clients.size === 0) this.close()
  }

  close(): void {
    this.stopped = true
    for (const wire of [...this.clients.values()]) wire.terminate()
    this.native?.close()
    this.native = null
  }
}
