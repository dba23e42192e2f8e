import type { Address } from "../base/index.ts"
import { boundPort, errorName, hasLibc, listenTcp } from "./libc.ts"
import { ListenError } from "./listen-error.ts"
import { SocketFile } from "./socket-file.ts"
import { clearStaleSocket } from "./stale-socket.ts"
import { listenUnix } from "./unix-socket.ts"

/** A socket that listens and that nobody accepts from yet. */
export interface ListeningSocket {
  /** Whoever accepts from it closes it. */
  readonly fd: number
  /** The port, also when the system picked it; 0 on a Unix socket. */
  readonly port: number
  /** null on a port. */
  readonly file: SocketFile | null
}

/** Whether `openSocket` can be called here. */
export const canOpenSockets: boolean = hasLibc

const EAFNOSUPPORT = 97

/** Binds an address for oneself alone and listens. Throws ListenError. */
export function openSocket(bind: Address, backlog: number): ListeningSocket {
  if ("path" in bind) clearStaleSocket(bind)
  let fd = "path" in bind ? listenUnix(bind.path, backlog) : listenTcp(bind.host, bind.port, backlog)
  if (fd === -EAFNOSUPPORT && "port" in bind && bind.host === "") fd = listenTcp("0.0.0.0", bind.port, backlog)
  if (fd < 0) throw new ListenError(bind, errorName(-fd))
  return inheritedSocket(bind, fd)
}

/** A socket that another process of ours opened at this address. */
export function inheritedSocket(bind: Address, fd: number): ListeningSocket {
  return "path" in bind ? { fd, port: 0, file: new SocketFile(bind.path) } : { fd, port: Math.max(0, boundPort(fd)), file: null }
}
