import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, type TlsOptions } from "node:tls"
import { RawSocket } from "./raw-socket.ts"
import { until } from "./wait.ts"

/** What the server does with each connection: read with `head`, `request`, `bytes`; answer with `send`; leave with `fin` or `reset`. `index` counts connections from 0. */
export type Script = (connection: RawSocket, index: number) => Promise<void> | void

export interface ScriptedServerOptions {
  readonly host?: string
  readonly port?: number
  readonly tls?: TlsOptions
  /** Listens on this Unix socket instead. */
  readonly path?: string
}

/** An upstream that plays a script on every connection and keeps every byte it got. */
export class ScriptedServer implements AsyncDisposable {
  readonly connections: RawSocket[] = []
  /** What scripts failed with, other than their connection ending under them. */
  readonly failures: unknown[] = []
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** `127.0.0.1:port`, ready for a config. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Everything that came, on all connections in their order. */
  get received(): string {
    return this.connections.map(connection => connection.received).join("")
  }

  /** Waits for the connection of this index. */
  connection(index = 0): Promise<RawSocket> {
    return until(() => this.connections[index], undefined, `connection ${index} to the upstream`)
  }

  /** Closes the listener and every connection; fails when a script failed. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    for (const connection of this.connections) connection.destroy()
    await closed
    if (this.failures.length > 0) throw this.failures[0]
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Starts an upstream on a free port. A string as script answers every request with it, and keeps the connection. */
export async function scriptedServer(script: Script | string, options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const play = typeof script === "string" ? answering(script) : script
  const accept = (socket: Socket): void => void run(scripted, new RawSocket(socket), play)
  const server = options.tls ? createTlsServer({ ...options.tls }, accept) : createServer({ allowHalfOpen: true, noDelay: true }, accept)
  const scripted = new ScriptedServer(server)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.on("tlsClientError", () => {})
  server.listen(options.path ? { path: options.path } : { port: options.port ?? 0, host: options.host ?? "127.0.0.1" }, resolve)
  await promise
  return scripted
}

function answering(response: string): Script {
  return async connection => {
    while (true) {
      await connection.request(3_600_000)
      connection.send(response)
    }
  }
}

async function run(server: ScriptedServer, connection: RawSocket, play: Script): Promise<void> {
  const index = server.connections.push(connection) - 1
  try {
    await play(connection, index)
  } catch (error) {
    // The script waited for more while the proxy hung up: that is for the test to judge, from `ending`.
    if (connection.ending === "open") server.failures.push(error)
    else connection.destroy()
  }
}
