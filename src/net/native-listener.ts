import type { Address, UnixAddress } from "../base/index.ts"
import { chmodSync } from "node:fs"
import { closeDescriptor, duplicate, resizeBacklog } from "./libc.ts"
import { ListenError } from "./listen-error.ts"
import { canOpenSockets, openSocket } from "./listening-socket.ts"
import { SocketFile } from "./socket-file.ts"
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
  inherited?: boolean
  socketMode?: number
  backlog?: number
}

const BACKLOG = 4096

/** A listener, and the file that goes with it. */
export interface OpenListener {
  readonly native: NativeListener
  /** Of a Unix socket that is ours; null where the runtime removes it, or another listener. */
  readonly file: SocketFile | null
}

/** Listens with the runtime's own `settings` beside. Throws ListenError. */
export function openListener(options: OpenOptions, settings: object): OpenListener {
  const { bind, fd, backlog = BACKLOG } = options
  if (fd !== undefined) {
    const native = adopt(bind, fd, settings)
    return { native, file: options.inherited === true && "path" in bind ? new SocketFile(bind.path) : null }
  }
  if ("path" in bind) return openUnix(bind, options, settings)
  const native = bindNatively(bind, { ...settings, ...sharing(options.reusePort === true) })
  // The runtime asks for 512; asking again resizes the queue (listen(2) on Linux).
  resizeBacklog(native.fd, backlog)
  return { native, file: null }
}

/** Bound by us where we can: the runtime would remove the file also when another process goes on with the socket. */
function openUnix(bind: UnixAddress, { backlog = BACKLOG, socketMode }: OpenOptions, settings: object): OpenListener {
  let opened: OpenListener
  if (canOpenSockets) {
    const { fd, file } = openSocket(bind, backlog)
    try {
      opened = { native: adopt(bind, fd, settings), file }
    } catch (error) {
      file?.remove()
      throw error
    } finally {
      closeDescriptor(fd)
    }
  } else {
    clearStaleSocket(bind)
    opened = { native: bindNatively(bind, { ...settings, exclusive: true }), file: null }
  }
  if (socketMode !== undefined) chmodSync(bind.path, socketMode)
  return opened
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
