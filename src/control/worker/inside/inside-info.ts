import type { ClientCertificate, ConnectionInfo } from "../../../net/index.ts"

/** What is known of a connection inside a tunnel: the client is the tunnel's, the TLS is the one that we ended. */
export class InsideInfo implements ConnectionInfo {
  readonly secure = true
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly peerAddress: string
  readonly serverName: string
  readonly alpn: string
  readonly tlsVersion: string
  private readonly outer: ConnectionInfo

  constructor(outer: ConnectionInfo, serverName: string, agreed: { readonly alpn: string; readonly tlsVersion: string }) {
    this.outer = outer
    this.remoteAddress = outer.remoteAddress
    this.remotePort = outer.remotePort
    this.localAddress = outer.localAddress
    this.localPort = outer.localPort
    this.peerAddress = outer.peerAddress
    this.serverName = serverName
    this.alpn = agreed.alpn
    this.tlsVersion = agreed.tlsVersion
  }

  /** What the client showed to the proxy. */
  get clientCertificate(): ClientCertificate | null {
    return this.outer.clientCertificate
  }
}
