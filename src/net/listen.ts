import { type Address, assert } from "../base/index.ts"
import { acceptHandlers, challengeHandlers, securedHandlers } from "./accept-handlers.ts"
import { type Acceptor, AcceptPoint, type PrefaceSources } from "./accept-point.ts"
import type { ConnectionLimits } from "./connection-limits.ts"
import { acceptAndClose, duplicate } from "./libc.ts"
import { type OpenListener, openListener } from "./native-listener.ts"
import { ListenError } from "./listen-error.ts"
import { makeTransparent } from "./original-destination.ts"
import type { Time } from "./time.ts"
import { alpnWireFormat } from "./tls/context.ts"
import { followDefaultContext, listenSettings } from "./tls/default-context.ts"
import type { HelloGate } from "./tls/hello-gate.ts"
import type { ServerTls } from "./tls/server-tls.ts"
import { TlsUpgrade } from "./tls/tls-upgrade.ts"

export interface ListenOptions {
  bind: Address
  time: Time
  /** Several workers share the port, each with its own accept queue. Default false: the port is taken for oneself. */
  reusePort?: boolean
  /** A listening descriptor to accept from instead of binding anew (Linux); it stays the caller's. Workers share a Unix socket that way. */
  fd?: number
  /** `fd` comes from a process whose place we take: the file of a Unix socket is ours now, and goes with this listener. Default false. */
  inherited?: boolean
  /** Permissions of a Unix socket's file, e.g. 0o660. Default: what the umask leaves. */
  socketMode?: number
  /** Connections that may wait to be accepted; the system caps it at net.core.somaxconn. Default 4096. */
  backlog?: number
  /** Milliseconds for the PROXY protocol header, and again for the TLS handshake. 0 = no limit. Default 10 s. */
  handshakeMs?: number
  /** Default null: no limits. */
  limits?: ConnectionLimits | null
  /** Peers that begin with a PROXY protocol header, and only they. Default null: nobody. */
  prefaceFrom?: PrefaceSources | null
  /** Default null: no TLS. */
  tls?: ServerTls | null
  /** Looks at the first message of clients before TLS begins; costs every connection a second socket object. Default null: nobody does. */
  gate?: HelloGate | null
  /** Takes connections to addresses that are not this machine's, as nftables' tproxy brings them. Needs CAP_NET_ADMIN. Default false. */
  transparent?: boolean
}

export interface Listening {
  readonly bind: Address
  /** The port, also when the system picked it; 0 on a Unix socket. */
  readonly port: number
  /** Descriptor of the listening socket. */
  readonly fd: number
  /** Counts by other limits from now on; they must be made over the memory of those that `listen` was given. */
  limit(limits: ConnectionLimits): void
  /** Stops accepting and removes a Unix socket's file; open connections live on. Whoever waits in the queue is reset. */
  stop(): void
  /** Stops accepting and leaves queue and file to another process that has the same socket. */
  release(): void
  /** Accepts who waits in the queue, and stops. With TLS they are reset after all. */
  drain(): void
}

const HANDSHAKE_MS = 10_000

/** Binds and accepts. Throws ListenError when the address cannot be had. */
export function listen(options: ListenOptions, acceptor: Acceptor): Listening {
  const { time, handshakeMs = HANDSHAKE_MS, limits = null, prefaceFrom = null, tls = null, gate = null } = options
  const protocols = tls === null ? undefined : alpnWireFormat(tls.alpn)
  const point = new AcceptPoint({ time, handshakeMs, limits, prefaceFrom, tls, gate }, acceptor)
  if (tls !== null && (prefaceFrom !== null || gate !== null)) {
    point.upgrade = new TlsUpgrade(tls, protocols, securedHandlers(point, tls), challengeHandlers(point, tls))
  }
  const nativeTls = point.upgrade === null ? tls : null
  const socket = acceptHandlers(point, nativeTls)
  const settings = { allowHalfOpen: true, data: point, socket }
  const opened = openListener(options, { ...settings, tls: nativeTls === null ? undefined : listenSettings(nativeTls, protocols) })
  if (options.transparent === true && !makeTransparent(opened.native.fd)) {
    opened.native.stop(true)
    throw new ListenError(options.bind, "ENOTRANSPARENT")
  }
  const unfollow = nativeTls === null ? null : followDefaultContext(opened.native, nativeTls)
  const letIn = (waiting: readonly number[]): void => {
    for (const fd of waiting) void Bun.connect({ ...settings, fd } as never)
  }
  // The runtime takes over a connection that was accepted elsewhere, but not as the server's side of TLS.
  return listeningOn(opened, options, { point, unfollow, letIn: nativeTls === null ? letIn : null })
}

interface Ends {
  readonly point: AcceptPoint
  readonly unfollow: (() => void) | null
  /** Takes connections that were accepted elsewhere. */
  readonly letIn: ((waiting: readonly number[]) => void) | null
}

function listeningOn({ native, file }: OpenListener, options: ListenOptions, { point, unfollow, letIn }: Ends): Listening {
  const { bind } = options
  const port = native.port ?? ("path" in bind ? 0 : bind.port)
  let stopped = false
  const release = (): void => {
    if (stopped) return
    stopped = true
    unfollow?.()
    native.stop(false)
  }
  const stop = (): void => {
    if (stopped) return
    release()
    file?.remove()
  }
  return {
    bind,
    port,
    fd: native.fd,
    limit(limits: ConnectionLimits): void {
      assert(point.limits !== null, "what is open was counted")
      point.limits = limits
    },
    stop,
    release,
    drain(): void {
      const last = stopped || letIn === null ? -1 : duplicate(native.fd)
      stop()
      letIn?.(acceptAndClose(last))
    },
  }
}
