import type { NativeContext } from "./context.ts"

/** Who looks at what a client says first, before TLS begins on its connection. */
export interface HelloGate {
  /** The certificate of a running TLS-ALPN-01 challenge for a client that offers `acme-tls/1`; undefined = there is none, and the client is refused. */
  challenge(serverName: string): NativeContext | undefined
  /** Whether the handshake has to wait. True: `release` will be called, once, and may be called after the connection has gone. */
  hold(serverName: string, release: () => void): boolean
}

/** The protocol of RFC 8737 section 4. */
export const ACME_TLS = "acme-tls/1"
