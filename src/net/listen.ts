import { type Bind, bindText } from "./bind.ts"
import { ConnectionInfo } from "./connection-info.ts"
import type { Wire, WireHandler } from "./wire.ts"

export interface Acceptor {
  /** The connection is ready for its first octet. Answers who listens to it from now on; null = refuse it. */
  onOpen(wire: Wire, info: ConnectionInfo): WireHandler | null
}

export interface ListenOptions {
  bind: Bind
  /** Several workers share the port. Default false. */
  reusePort?: boolean
}

export interface Listening {
  /** The port, also when the system picked it; 0 on a Unix socket. */
  readonly port: number
  /** Descriptor of the listening socket. */
  readonly fd: number
  /** Stops accepting; open connections live on. */
  stop(): void
}

type BunSocket = Wire & { setNoDelay(on: boolean): boolean }

/** Binds and accepts. Throws when the address cannot be bound. */
export function listen(options: ListenOptions, acceptor: Acceptor): Listening {
  const refused: WireHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
  const socket = {
    open(wire: BunSocket): void {
      wire.setNoDelay(true)
      wire.data = refused
      const handler = acceptor.onOpen(wire, new ConnectionInfo(wire, false))
      if (handler === null) return wire.terminate()
      wire.data = handler
    },
    data(wire: Wire, chunk: Buffer): void {
      wire.data.onData(wire, chunk)
    },
    drain(wire: Wire): void {
      wire.data.onDrain(wire)
    },
    end(wire: Wire): void {
      wire.data.onEnd(wire)
    },
    close(wire: Wire, error?: Error): void {
      wire.data.onClose(wire, error ?? null)
    },
    error(): void {},
  }
  const { bind } = options
  const place = "path" in bind ? { unix: bind.path } : { hostname: bind.host === "" ? "::" : bind.host, port: bind.port }
  const settings = { ...place, reusePort: options.reusePort === true, exclusive: options.reusePort !== true, allowHalfOpen: true, socket }
  try {
    const server = Bun.listen(settings as never) as unknown as { port?: number; fd: number; stop(force: boolean): void }
    return { port: server.port ?? 0, fd: server.fd, stop: () => server.stop(false) }
  } catch (error) {
    throw new Error(`cannot listen on ${bindText(bind)}: ${(error as Error).message}`, { cause: error })
  }
}
