import { connect, type NetConnectOpts } from "node:net"
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls"
import { RawSocket } from "./raw-socket.ts"
import { patienceMs, within } from "./wait.ts"

export interface RawClientOptions {
  readonly host?: string
  /** Local address to connect from; all of 127.0.0.0/8 is ours. */
  readonly from?: string
  /** Speaks TLS; certificates are not checked unless `ca` is given. */
  readonly tls?: Pick<ConnectionOptions, "servername" | "ca" | "cert" | "key" | "ALPNProtocols" | "minVersion" | "maxVersion">
}

/** A client that sends bytes as it is told. Close it with `await using`, or `destroy`. */
export class RawClient extends RawSocket implements Disposable {
  [Symbol.dispose](): void {
    this.destroy()
  }

  /** What TLS agreed on, or "". */
  get alpn(): string {
    return (this.socket as TLSSocket).alpnProtocol || ""
  }
}

/** Opens a connection to `port`, or to the Unix socket `port` names. Fails as the connection fails. */
export async function rawClient(port: number | string, options: RawClientOptions = {}): Promise<RawClient> {
  const target: NetConnectOpts =
    typeof port === "string"
      ? { path: port, allowHalfOpen: true }
      : { port, host: options.host ?? "127.0.0.1", allowHalfOpen: true, ...(options.from && { localAddress: options.from }) }
  const socket = options.tls
    ? connectTls({ ...target, rejectUnauthorized: options.tls.ca !== undefined, ...options.tls } as ConnectionOptions)
    : connect(target)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once(options.tls ? "secureConnect" : "connect", () => resolve())
  socket.once("error", reject)
  await within(promise, patienceMs, () => `no connection to ${port}`)
  socket.off("error", reject)
  if (!options.tls) socket.setNoDelay(true)
  return new RawClient(socket)
}
