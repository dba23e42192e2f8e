import type { Address } from "../base/index.ts"
import { chmodSync } from "node:fs"
import { closeDescriptor, duplicate, resizeBacklog } from "./libc.ts"
import { ListenError } from "./listen-error.ts"
import { clearStaleSocket } from "./stale-socket.ts"

/** A listening socket of the runtime. */
export interface NativeListener {
  readonly port?: number
  readonly fd: number
  stop(force: boolean): void
}

/** What decides where and how a socket listens; see ListenOptions. */
export interface OpenOptions {
  bind: Address
  reusePort?: boolean
  fd?: number
  socketMode?: number
  backlog?: number
}

const BACKLOG = 4096

/** Listens with the runtime's own `settings` beside. Throws ListenError. */
export function openListener(options: OpenOptions, settings: object): NativeListener {
  const { bind, fd, socketMode, backlog = BACKLOG } = options
  if (fd !== undefined) return adopt(bind, fd, settings)
  if ("path" in bind) clearStaleSocket(bind)
  const native = bindNatively(bind, { ...settings, ...sharing(options.reusePort === true) })
  // The runtime asks for 512; asking again resizes the queue (listen(2) on Linux).
  resizeBacklog(native.fd, backlog)
  if ("path" in bind && socketMode !== undefined) chmodSync(bind.path, socketMode)
  return native
}

function sharing(reusePort: boolean): object {
  return reusePort ? { reusePort: true } : { exclusive: true }
}

function adopt(bind: Address, fd: number, settings: object): NativeListener {
  const own = duplicate(fd)
  if (own < 0) throw new ListenError(bind, "EBADF")
  try {
    return Bun.listen({ ...settings, fd: own } as never) as unknown as NativeListener
  } catch (error) {
    closeDescriptor(own)
    throw asListenError(bind, error)
  }
}

function bindNatively(bind: Address, settings: object): NativeListener {
  try {
    if ("path" in bind) return Bun.listen({ ...settings, unix: bind.path } as never) as unknown as NativeListener
    // "" is every address; `::` in so many words is IPv6 alone, so that `0.0.0.0` can stand beside it.
    const place = bind.host === "" ? { hostname: "::", ipv6Only: false } : { hostname: bind.host, ipv6Only: bind.host.includes(":") }
    return Bun.listen({ ...settings, ...place, port: bind.port } as never) as unknown as NativeListener
  } catch (error) {
    const failed = asListenError(bind, error)
    if (failed.code !== "EAFNOSUPPORT" || "path" in bind || bind.host !== "") throw failed
    return bindNatively({ host: "0.0.0.0", port: bind.port }, settings)
  }
}

function asListenError(bind: Address, error: unknown): ListenError {
  const { code } = error as { code?: string }
  return new ListenError(bind, code ?? (error as Error).message, error)
}
