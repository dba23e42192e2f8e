import type { Socket } from "node:net"
import type { TlsOptions } from "node:tls"
import { type ScriptedServer, scriptedServer } from "../scripted-server.ts"
import { until } from "../wait.ts"
import { errorCode, type Frame, frameType, preface, setting, settingPairs } from "./frames.ts"
import { H2Connection, type H2ConnectionOptions } from "./h2-connection.ts"
import { H2Exchange } from "./h2-exchange.ts"
import type { H2Stream } from "./h2-stream.ts"

/** What the origin does with each request, as soon as its head is there; a text as script is the body of every answer. */
export type H2Script = (exchange: H2Exchange) => Promise<void> | void

export interface H2OriginOptions extends H2ConnectionOptions {
  readonly script?: H2Script | string
  /** Speaks TLS and chooses h2 by ALPN; without it, clients need prior knowledge. */
  readonly tls?: TlsOptions
  readonly port?: number
  /** Called with every connection before anything is read, to take over or to change its switches. */
  readonly onConnection?: (connection: OriginConnection, index: number) => void
}

/** One connection to the origin. */
export class OriginConnection extends H2Connection {
  /** Streams that were open at once, at most; those beyond the limit that we announced count too. */
  mostStreams = 0
  /** The 24 octets that came first. */
  opening = Buffer.alloc(0)
  private readonly streamsMax: number
  private highest = 0
  private readonly begin: (connection: OriginConnection, stream: H2Stream) => void

  constructor(socket: Socket, options: H2OriginOptions, begin: (connection: OriginConnection, stream: H2Stream) => void) {
    super(socket, options)
    this.begin = begin
    const limit = settingPairs(options.settings ?? []).findLast(([id]) => id === setting.maxConcurrentStreams)
    this.streamsMax = limit?.[1] ?? Number.POSITIVE_INFINITY
  }

  /** Numbers of the streams that neither side has ended. */
  get openStreams(): number[] {
    return [...this.streams.values()].filter(({ ended, endedByUs, resetCode }) => resetCode === null && !(ended && endedByUs)).map(({ id }) => id)
  }

  protected override push(chunk: Buffer): void {
    if (this.opening.length === preface.length) return super.push(chunk)
    const bytes = Buffer.concat([this.opening, chunk])
    this.opening = Buffer.from(bytes.subarray(0, preface.length))
    if (!preface.startsWith(this.opening.toString("latin1"))) this.rules.note("no preface")
    if (bytes.length > preface.length) super.push(bytes.subarray(preface.length))
  }

  protected override headCame(stream: H2Stream, isNew: boolean): void {
    if (!isNew) return
    if (stream.id <= this.highest || stream.id % 2 === 0) this.rules.note(`stream ${stream.id} after ${this.highest}`)
    this.highest = Math.max(this.highest, stream.id)
    const open = this.openStreams.length
    this.mostStreams = Math.max(this.mostStreams, open)
    if (open <= this.streamsMax || !this.rules.isSettled) return this.begin(this, stream)
    this.rules.note(`stream ${stream.id}: ${open} at once`)
    this.reset(stream.id, errorCode.refusedStream)
  }
}

/** A server that speaks HTTP/2 by a script, and keeps connections, frames and requests. */
export class H2Origin implements AsyncDisposable {
  readonly connections: OriginConnection[] = []
  readonly requests: H2Exchange[] = []
  private server: ScriptedServer | null = null
  private readonly options: H2OriginOptions
  private readonly script: H2Script

  constructor(options: H2OriginOptions) {
    this.options = options
    const { script = "ok" } = options
    this.script = typeof script === "string" ? exchange => exchange.respond(200, script) : script
  }

  get port(): number {
    return this.server!.port
  }

  /** `127.0.0.1:port`, ready for a config. */
  get address(): string {
    return this.server!.address
  }

  /** What clients did wrong, on all connections. */
  get violations(): string[] {
    return this.connections.flatMap(connection => connection.violations)
  }

  async listen(): Promise<this> {
    const { tls, port } = this.options
    this.server = await scriptedServer(({ socket }) => this.accept(socket), {
      ...(tls && { tls: { ALPNProtocols: ["h2"], ...tls } }),
      ...(port !== undefined && { port }),
    })
    return this
  }

  /** Waits for the request of this index. */
  request(index = 0, ms?: number): Promise<H2Exchange> {
    return until(() => this.requests[index], ms, `request ${index} to the origin`)
  }

  connection(index = 0, ms?: number): Promise<OriginConnection> {
    return until(() => this.connections[index], ms, `connection ${index} to the origin`)
  }

  /** How many frames of a type came, on all connections. */
  count(type: keyof typeof frameType, wanted: (each: Frame) => boolean = () => true): number {
    return this.connections.flatMap(({ frames }) => frames).filter(each => each.type === frameType[type] && wanted(each)).length
  }

  /** Closes listener and connections; fails when a script failed. */
  async close(): Promise<void> {
    for (const connection of this.connections) connection.destroy()
    await this.server?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private accept(socket: Socket): void {
    const connection = new OriginConnection(socket, this.options, (on, stream) => void this.play(on, stream))
    this.connections.push(connection)
    if (this.options.settings !== null) connection.settings(this.options.settings ?? {})
    this.options.onConnection?.(connection, this.connections.length - 1)
  }

  private async play(connection: OriginConnection, stream: H2Stream): Promise<void> {
    const exchange = new H2Exchange(connection, stream, this.requests.length)
    this.requests.push(exchange)
    try {
      await this.script(exchange)
    } catch (error) {
      // The client went away under the script: that is for the test to judge, from `ending`.
      if (connection.ending === "open") this.server!.failures.push(error)
    }
  }
}

/** Starts an origin on a free port. */
export function h2Origin(options: H2OriginOptions = {}): Promise<H2Origin> {
  return new H2Origin(options).listen()
}
