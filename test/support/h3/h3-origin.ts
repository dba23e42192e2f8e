import {
  listenQuic,
  type QuicConnection,
  type QuicConnectionHandler,
  type QuicLimits,
  type QuicListening,
  type QuicStream,
} from "../../../src/net/index.ts"
import type { Certificate } from "../certificates.ts"
import type { Fields } from "../h2/header-block.ts"
import { fieldList } from "../h2/header-block.ts"
import { until } from "../wait.ts"
import { H3Stream } from "./h3-stream.ts"
import { testSite } from "./secure-config.ts"

/** What the origin does with each request, as soon as its head is there; a text as script is the body of every answer. */
export type H3Script = (exchange: H3Exchange) => Promise<void> | void

export interface H3OriginOptions {
  readonly script?: H3Script | string
  readonly port?: number
  readonly site?: Certificate
  readonly limits?: QuicLimits
}

/** One request at the origin, and the means to answer it. */
export class H3Exchange {
  readonly stream: H3Stream
  readonly connection: OriginConnection
  /** Counts requests of the origin from 0. */
  readonly index: number

  constructor(stream: H3Stream, connection: OriginConnection, index: number) {
    this.stream = stream
    this.connection = connection
    this.index = index
  }

  get method(): string {
    return this.stream.headers[":method"] ?? ""
  }

  get path(): string {
    return this.stream.headers[":path"] ?? ""
  }

  /** Waits for the whole body. */
  async body(ms?: number): Promise<string> {
    return (await this.stream.response(ms)).body
  }

  head(status: number, fields: Fields = [], { end = false }: { end?: boolean } = {}): void {
    this.stream.head([[":status", String(status)], ...fieldList(fields)], status < 200 ? "informational" : "initial", end)
  }

  /** A whole response. */
  async respond(status = 200, body: string | Uint8Array = "", fields: Fields = [], trailers?: Fields): Promise<void> {
    const isBare = body.length === 0 && trailers === undefined
    this.head(status, fields, { end: isBare })
    if (!isBare) await this.stream.data(body, { end: trailers === undefined })
    if (trailers !== undefined) this.stream.head(trailers, "trailing")
  }

  reset(code = 0x102): void {
    this.stream.reset(code)
  }
}

/** One connection to the origin. */
export class OriginConnection implements QuicConnectionHandler {
  readonly quic: QuicConnection
  readonly streams: H3Stream[] = []
  closed: string | null = null
  /** Streams that were open at once, at most. */
  mostStreams = 0
  private readonly begun: (stream: H3Stream, connection: OriginConnection) => void

  constructor(quic: QuicConnection, begun: (stream: H3Stream, connection: OriginConnection) => void) {
    this.quic = quic
    this.begun = begun
  }

  onStream(_connection: QuicConnection, quic: QuicStream): H3Stream {
    const stream = new H3Stream(each => this.begun(each, this))
    stream.quic = quic
    this.streams.push(stream)
    this.mostStreams = Math.max(this.mostStreams, this.streams.filter(({ closed }) => closed === null).length)
    return stream
  }

  onDatagram(): void {}
  onGoAway(): void {}
  onClose(_connection: QuicConnection, error: string): void {
    this.closed = error
  }
}

/** A server that speaks HTTP/3 by a script, and keeps connections and requests. */
export class H3Origin implements AsyncDisposable {
  readonly connections: OriginConnection[] = []
  readonly requests: H3Exchange[] = []
  /** What scripts failed with. */
  readonly failures: unknown[] = []
  private readonly script: H3Script
  private readonly listening: QuicListening

  constructor({ script = "ok", port = 0, site = testSite().site, limits = {} }: H3OriginOptions) {
    this.script = typeof script === "string" ? exchange => exchange.respond(200, script) : script
    const identities = [{ names: ["a.test", "localhost"], cert: site.cert, key: site.key }]
    const tls = { clientCertificates: "off", authorities: undefined, identities, onChange: () => () => {} } as const
    this.listening = listenQuic(
      { bind: { host: "127.0.0.1", port }, tls, limits },
      {
        onOpen: quic => {
          const connection = new OriginConnection(quic, (stream, on) => void this.play(stream, on))
          this.connections.push(connection)
          return connection
        },
      },
    )
  }

  get port(): number {
    return this.listening.port
  }

  /** `127.0.0.1:port`, ready for a config. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Waits for the request of this index. */
  request(index = 0, ms?: number): Promise<H3Exchange> {
    return until(() => this.requests[index], ms, `request ${index} to the origin`)
  }

  /** GOAWAY on every connection; takes no new ones. */
  drain(): void {
    this.listening.drain()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.listening.close()
    if (this.failures.length > 0) throw this.failures[0]
    return Promise.resolve()
  }

  private async play(stream: H3Stream, connection: OriginConnection): Promise<void> {
    const exchange = new H3Exchange(stream, connection, this.requests.length)
    this.requests.push(exchange)
    try {
      await this.script(exchange)
    } catch (error) {
      // The client went away under the script: that is for the test to judge.
      if (stream.closed === null && connection.closed === null) this.failures.push(error)
    }
  }
}

/** Starts an origin on a free port, or on the one that is asked for. */
export function h3Origin(options: H3OriginOptions = {}): H3Origin {
  return new H3Origin(options)
}
