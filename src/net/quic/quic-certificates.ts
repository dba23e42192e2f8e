import { type CertificatePair, readAuthorities } from "../tls/certificate-pair.ts"
import type { CertificateStore, TlsListenOptions } from "../tls/certificate-store.ts"
import type { ClientCertificateMode } from "../tls/server-tls.ts"

export interface QuicIdentity {
  /** Host names, a wildcard among them as `*.example.test`. */
  readonly names: readonly string[]
  /** PEM: the certificate, then its chain. */
  readonly cert: string
  readonly key: string
}

/** What a QUIC listener needs to know of TLS; `QuicCertificates` is one. */
export interface QuicServerTls {
  /** With "optional" nobody is asked: the runtime cannot ask without requiring. */
  readonly clientCertificates: ClientCertificateMode
  /** PEM of those who sign client certificates; undefined when nobody is asked. */
  readonly authorities: string | undefined
  /** At least one; the first serves clients that name no host or one that no certificate bears. */
  readonly identities: readonly QuicIdentity[]
  /** Calls back whenever the identities have changed. Answers how to stop that. */
  onChange(changed: () => void): () => void
}

const POLL_MS = 1000

/**
 * The certificates of a QUIC listener: those of the TLS listener beside it, which decides what is fit to be used and when.
 */
export class QuicCertificates implements QuicServerTls {
  readonly clientCertificates: ClientCertificateMode
  readonly authorities: string | undefined
  private readonly store: CertificateStore
  private readonly listeners: Set<() => void>
  private pairs: readonly CertificatePair[]
  private timer: ReturnType<typeof setInterval> | null

  /** Throws FileError when a file cannot be used. */
  constructor(store: CertificateStore, options: TlsListenOptions) {
    const { clientCertificates = "off" } = options
    this.store = store
    this.clientCertificates = store.clientCertificates
    this.authorities = clientCertificates === "off" ? undefined : readAuthorities(clientCertificates.ca)
    this.listeners = new Set()
    this.pairs = store.pairs
    this.timer = null
  }

  get identities(): readonly QuicIdentity[] {
    return this.pairs
  }

  onChange(changed: () => void): () => void {
    this.listeners.add(changed)
    return () => this.listeners.delete(changed)
  }

  /** Begins to look at the store every `pollMs`. Does not keep the process alive. */
  watch(pollMs = POLL_MS): void {
    if (this.timer !== null) return
    this.timer = setInterval(() => this.refresh(), pollMs)
    this.timer.unref()
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  /** Takes what the store has taken since; answers whether that was anything. */
  refresh(): boolean {
    const { pairs } = this.store
    if (pairs.length === this.pairs.length && pairs.every((pair, i) => pair === this.pairs[i])) return false
    this.pairs = pairs
    for (const listener of this.listeners) listener()
    return true
  }
}
