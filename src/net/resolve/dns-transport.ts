import { createSocket, type Socket as UdpSocket } from "node:dgram"
import { connect, type Socket as TcpSocket } from "node:net"
import { normaliseIp } from "../../base/index.ts"
import { markUdpSocket } from "../socket-mark.ts"

export interface ServerAddress {
  /** Address literal, with a zone when it is link-local. */
  readonly host: string
  readonly port: number
}

/** Told what comes back for one query; nothing more after `close`. */
export interface TransportHandler {
  /** A message that came from the server's address. Over UDP there may be several. */
  onMessage(bytes: Uint8Array): void
  /** The way to the server is shut; the transport is closed already. */
  onTransportFailed(reason: string): void
}

export interface Transport {
  close(): void
}

/**
 * One query from a socket of its own: the system picks its source port at random, so a forger must guess port and id (RFC 5452 section 9.2).
 * The socket is connected, so the system passes on nothing from other senders and reports a closed port at once.
 */
export class UdpTransport implements Transport {
  private readonly server: ServerAddress
  private readonly handler: TransportHandler
  private socket: UdpSocket | null

  constructor(server: ServerAddress, query: Uint8Array, handler: TransportHandler) {
    this.server = server
    this.handler = handler
    const socket = createSocket(server.host.includes(":") ? "udp6" : "udp4")
    this.socket = socket
    socket.on("error", error => this.fail(describe(error)))
    socket.on("message", (bytes, sender) => this.receive(bytes, sender))
    // Called with an error too, such as that there is no route, which the types do not say; then nothing can be sent.
    socket.connect(server.port, server.host, (error?: Error | null) => {
      if (error) return this.fail(describe(error))
      if (this.socket !== null) markUdpSocket(this.socket.address().port)
      if (this.socket !== null) this.socket.send(query, error => error && this.fail(describe(error)))
    })
  }

  close(): void {
    const { socket } = this
    this.socket = null
    if (socket !== null) socket.close()
  }

  private receive(bytes: Uint8Array, sender: { address: string; port: number }): void {
    // What arrived between the making of the socket and its connecting has not been filtered.
    const known = sender.port === this.server.port && sameAddress(sender.address, this.server.host)
    if (this.socket !== null && known) this.handler.onMessage(bytes)
  }

  private fail(reason: string): void {
    if (this.socket === null) return
    this.close()
    this.handler.onTransportFailed(reason)
  }
}

/** One query over TCP, for answers that are too long for UDP (RFC 7766): each message has its length before it, in two octets. */
export class TcpTransport implements Transport {
  private readonly handler: TransportHandler
  private socket: TcpSocket | null
  private received: Buffer

  constructor(server: ServerAddress, query: Uint8Array, handler: TransportHandler) {
    this.handler = handler
    this.received = Buffer.alloc(0)
    const socket = connect({ host: server.host, port: server.port })
    this.socket = socket
    socket.on("error", error => this.fail(describe(error)))
    socket.on("close", () => this.fail("the server closed the connection"))
    socket.on("data", chunk => this.receive(chunk as Buffer))
    socket.write(Buffer.concat([Uint8Array.of(query.length >>> 8, query.length & 255), query]))
  }

  close(): void {
    const { socket } = this
    this.socket = null
    if (socket !== null) socket.destroy()
  }

  private receive(chunk: Buffer): void {
    if (this.socket === null) return
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    if (this.received.length < 2) return
    const end = 2 + this.received.readUInt16BE(0)
    if (this.received.length >= end) this.handler.onMessage(this.received.subarray(2, end))
  }

  private fail(reason: string): void {
    if (this.socket === null) return
    this.close()
    this.handler.onTransportFailed(reason)
  }
}

function describe(error: Error & { code?: string }): string {
  return error.code ?? error.message
}

function sameAddress(sender: string, server: string): boolean {
  return sender === server || normaliseIp(sender.replace(/%.*$/, "")) === server.replace(/%.*$/, "")
}
