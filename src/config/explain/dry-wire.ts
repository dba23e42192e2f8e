import { type ConnectionInfo, WireInfo, type Wire, type WireHandler } from "../../net/index.ts"

const nobody: WireHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }

/** A connection that leads nowhere: takes everything and keeps nothing. */
export class DryWire implements Wire {
  data: WireHandler = nobody
  readonly remoteAddress: string
  readonly remotePort = 0
  readonly localAddress: string
  readonly localPort: number
  readonly authorized = false
  readonly alpnProtocol = false
  private readonly serverName: string

  constructor(from: string, local: { readonly address: string; readonly port: number }, serverName: string) {
    this.remoteAddress = from
    this.localAddress = local.address
    this.localPort = local.port
    this.serverName = serverName
  }

  write(data: string | Uint8Array, _offset?: number, length?: number): number {
    return length ?? data.length
  }

  end(): void {}
  shutdown(): void {}
  terminate(): void {}
  pause(): void {}
  resume(): void {}

  /** What a client that reaches the host by its URL says in TLS. */
  getServername(): string {
    return this.serverName
  }

  getTLSVersion(): string {
    return "TLSv1.3"
  }

  getPeerX509Certificate(): undefined {}

  /** What the rest of the proxy knows of this connection. */
  info(secure: boolean): ConnectionInfo {
    // The part of a native socket that ConnectionInfo reads.
    return new WireInfo(this as unknown as ConstructorParameters<typeof WireInfo>[0], secure, null, null)
  }
}
