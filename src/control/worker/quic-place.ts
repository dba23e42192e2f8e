import { type Address, formatAddress } from "../../base/index.ts"
import type { ListenerConfig } from "../../config/index.ts"
import {
  type ConnectionLimits,
  listenQuic,
  type QuicCertificates,
  type QuicIdentity,
  type QuicListening,
  type QuicListenOptions,
  type QuicServerTls,
} from "../../net/index.ts"
import type { ListenerRuntime } from "./listener-runtime.ts"

/**
 * A UDP socket over reloads. Where workers share a port the kernel chooses among its sockets by their number and order: one that comes or goes takes
 * connections away from others. So it stays where it is, and it is the listener behind it that changes.
 */
export class QuicPlace {
  /** What cannot be changed while it is open. */
  readonly key: string
  private readonly listening: QuicListening
  private readonly tls: CurrentCertificates
  private runtime: ListenerRuntime

  /** Throws ListenError when the address cannot be had. */
  constructor(key: string, options: Omit<QuicListenOptions, "tls">, runtime: ListenerRuntime) {
    this.key = key
    this.runtime = runtime
    this.tls = new CurrentCertificates(runtime.quicCertificates!)
    this.listening = listenQuic({ ...options, tls: this.tls }, { onOpen: connection => this.runtime.onQuic(connection) })
  }

  static keyOf(bind: Address, { http3, tls }: ListenerConfig): string {
    return JSON.stringify([formatAddress(bind), http3?.earlyData, tls?.clientCertificates])
  }

  /** Whoever comes from now on is this listener's. */
  give(runtime: ListenerRuntime, limits: ConnectionLimits | null): void {
    this.runtime = runtime
    this.tls.become(runtime.quicCertificates!)
    this.listening.limit(limits)
  }

  limit(limits: ConnectionLimits): void {
    this.listening.limit(limits)
  }

  drain(): void {
    this.listening.drain()
  }

  close(): void {
    this.listening.close()
  }
}

/** The certificates of the listener that a socket belongs to just now. */
class CurrentCertificates implements QuicServerTls {
  private of: QuicCertificates
  private readonly listeners = new Set<() => void>()
  private unfollow: () => void

  constructor(of: QuicCertificates) {
    this.of = of
    this.unfollow = of.onChange(() => this.tell())
  }

  get clientCertificates(): QuicServerTls["clientCertificates"] {
    return this.of.clientCertificates
  }

  get authorities(): string | undefined {
    return this.of.authorities
  }

  get identities(): readonly QuicIdentity[] {
    return this.of.identities
  }

  become(of: QuicCertificates): void {
    const former = this.of.identities
    this.unfollow()
    this.of = of
    this.unfollow = of.onChange(() => this.tell())
    const { identities } = of
    if (identities.length !== former.length || identities.some(({ cert, key }, i) => cert !== former[i]!.cert || key !== former[i]!.key)) this.tell()
  }

  onChange(changed: () => void): () => void {
    this.listeners.add(changed)
    return () => this.listeners.delete(changed)
  }

  private tell(): void {
    for (const listener of this.listeners) listener()
  }
}
