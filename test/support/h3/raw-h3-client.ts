import { dialQuic, type QuicConnection, type QuicConnectionHandler, QuicClientTls, type QuicStreamHandler } from "../../../src/net/index.ts"
import { type Fields, fieldList } from "../h2/header-block.ts"
import { patienceMs, until } from "../wait.ts"
import { H3Stream } from "./h3-stream.ts"
import { quicTime } from "./quic-time.ts"

export interface RawH3ClientOptions {
  /** The name that is asked for. Default a.test. */
  readonly servername?: string
  /** PEM; without it the certificate is not checked. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly idleMs?: number
  /** For the handshake. */
  readonly timeoutMs?: number
}

export interface H3RequestOptions {
  /** Sent, and ends the stream unless `end` is false. */
  readonly body?: string | Uint8Array
  readonly end?: boolean
}

/** A client that speaks HTTP/3 as it is told. Close it with `using`, or `destroy`. */
export class RawH3Client implements Disposable, QuicConnectionHandler {
  readonly connection: QuicConnection
  readonly streams: H3Stream[] = []
  goneAway = false
  /** null = it stands; otherwise why it ended, "" = in order. */
  closed: string | null = null

  constructor(connection: QuicConnection) {
    this.connection = connection
  }

  /**
   * Sends a request and gives its stream. Pseudo fields that are left out are added: GET, https, `/`, and an authority; `:x: undefined` leaves one out.
   * Without a body the head ends the stream, unless `end` is false.
   */
  request(fields: Readonly<Record<string, string | undefined>> | Fields = {}, { body, end = true }: H3RequestOptions = {}): H3Stream {
    const stream = new H3Stream()
    this.streams.push(stream)
    stream.quic = this.connection.openStream(stream)
    stream.head(completed(fields), "initial", end && body === undefined)
    if (body !== undefined) void stream.data(body, { end })
    return stream
  }

  /** Waits for the connection's end and says why. */
  async ended(ms = patienceMs): Promise<string> {
    await until(() => this.closed !== null, ms, "the end of the connection")
    return this.closed!
  }

  destroy(): void {
    this.connection.close(0x100)
  }

  [Symbol.dispose](): void {
    this.destroy()
  }

  onStream(): QuicStreamHandler | null {
    return null
  }

  onDatagram(): void {}

  onGoAway(): void {
    this.goneAway = true
  }

  onClose(_connection: QuicConnection, error: string): void {
    this.closed = error
  }
}

function completed(fields: Readonly<Record<string, string | undefined>> | Fields): Fields {
  if (Array.isArray(fields)) return fields
  const all = { ":method": "GET", ":scheme": "https", ":authority": "a.test", ":path": "/", ...fields }
  return fieldList(all as Record<string, string>).filter(([, value]) => value !== undefined)
}

const anybody = new QuicClientTls({ verify: false })

/** Connects; fails as the handshake fails. */
export function rawH3Client(
  port: number,
  { servername = "a.test", idleMs, timeoutMs = patienceMs, ...tls }: RawH3ClientOptions = {},
): Promise<RawH3Client> {
  const settings = tls.ca === undefined && tls.cert === undefined ? anybody : new QuicClientTls({ verify: tls.ca !== undefined, ...tls })
  const limits = idleMs === undefined ? {} : { limits: { idleMs } }
  return new Promise((resolve, reject) => {
    dialQuic(
      { host: "127.0.0.1", port },
      { time: quicTime, tls: settings, serverName: servername, timeoutMs, ...limits },
      {
        onOpen(connection) {
          const client = new RawH3Client(connection)
          resolve(client)
          return client
        },
        onFailed: (kind, detail) => reject(new Error(`${kind}: ${detail}`)),
      },
    )
  })
}
