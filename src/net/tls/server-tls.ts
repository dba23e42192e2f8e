import type { ContextOptions, NativeContext } from "./context.ts"

export type ClientCertificateMode = "off" | "optional" | "required"

/** What a TLS listener needs to know; `CertificateStore` is one. */
export interface ServerTls {
  readonly clientCertificates: ClientCertificateMode
  /** Protocols to agree on, the preferred one first; a client that offers others only is refused (RFC 7301 section 3.2). Empty = no ALPN. */
  readonly alpn: readonly string[]
  /** For clients that name no host or one that no certificate bears. */
  readonly defaultContext: NativeContext
  /** The parts of `defaultContext`. */
  readonly defaultOptions: ContextOptions
  /** The context for a name as the client wrote it; undefined = the default one. */
  contextFor(serverName: string): NativeContext | undefined
  /** Calls back whenever the default context was replaced. Answers how to stop that. */
  onDefaultChange(changed: () => void): () => void
}
