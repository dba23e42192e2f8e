import type { ClientCertificate, ConnectionInfo, QuicConnection } from "../../net/index.ts"

/** What is known of a client that came by QUIC. */
export class QuicInfo implements ConnectionInfo {
  readonly secure = true
  private readonly connection: QuicConnection

  constructor(connection: QuicConnection) {
    this.connection = connection
  }

  get remoteAddress(): string {
    return this.connection.facts.remoteAddress
  }

  get remotePort(): number {
    return this.connection.facts.remotePort
  }

  get localAddress(): string {
    return this.connection.facts.localAddress
  }

  get localPort(): number {
    return this.connection.facts.localPort
  }

  get peerAddress(): string {
    return this.connection.facts.remoteAddress
  }

  get serverName(): string {
    return this.connection.facts.serverName
  }

  get alpn(): string {
    return this.connection.facts.alpn
  }

  get tlsVersion(): string {
    return this.connection.facts.tlsVersion
  }

  get clientCertificate(): ClientCertificate | null {
    return this.connection.facts.clientCertificate
  }
}
