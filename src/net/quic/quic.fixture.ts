import type { CertificateRequest, Pair } from "../tls/test-pair.ts"
import { makePair } from "../tls/test-pair.ts"
import { testTime } from "../test-time.ts"
import { dialQuic, type QuicDialOptions } from "./dial-quic.ts"
import { listenQuic, type QuicListening, type QuicListenOptions } from "./listen-quic.ts"
import type { QuicIdentity, QuicServerTls } from "./quic-certificates.ts"
import { QuicClientTls } from "./quic-client-tls.ts"
import type { QuicConnection } from "./quic-connection.ts"
import type { HeadersKind, QuicConnectionHandler, QuicStreamHandler, StreamEnd } from "./quic-handlers.ts"
import type { QuicStream } from "./quic-stream.ts"

export const authority: Pair = makePair({ commonName: "authority", authority: true })

export function leaf(names: string, request: CertificateRequest = {}): Pair {
  return makePair({ signedBy: authority, names, ...request })
}

/** Identities that a test swaps by hand. */
export class TestIdentities implements QuicServerTls {
  clientCertificates: "off" | "required" = "off"
  authorities: string | undefined = undefined
  identities: readonly QuicIdentity[]
  private readonly listeners = new Set<() => void>()

  constructor(...identities: QuicIdentity[]) {
    this.identities = identities
  }

  onChange(changed: () => void): () => void {
    this.listeners.add(changed)
    return () => this.listeners.delete(changed)
  }

  swap(...identities: QuicIdentity[]): void {
    this.identities = identities
    for (const listener of this.listeners) listener()
  }
}

export function identity(name: string, pair: Pair = leaf(`DNS:${name}`)): QuicIdentity {
  return { names: [name], ...pair }
}

/** A stream that writes down what happens to it. */
export class StreamLog implements QuicStreamHandler {
  readonly sections: [HeadersKind, string[]][] = []
  readonly events: string[] = []
  text = ""
  bytes = 0
  ended = false
  closed: StreamEnd | "" = ""
  drains = 0
  resetCode = -1
  stopped = false
  whenHeaders: (stream: QuicStream, kind: HeadersKind) => void = () => {}
  whenData: (stream: QuicStream) => void = () => {}
  whenEnd: (stream: QuicStream) => void = () => {}
  whenDrain: (stream: QuicStream) => void = () => {}
  keepText = true

  onHeaders(stream: QuicStream, pairs: readonly string[], kind: HeadersKind): void {
    this.sections.push([kind, [...pairs]])
    this.events.push(kind)
    this.whenHeaders(stream, kind)
  }
  onData(stream: QuicStream, chunk: Uint8Array): void {
    if (this.keepText) this.text += Buffer.from(chunk).toString("latin1")
    this.bytes += chunk.length
    if (this.events.at(-1) !== "data") this.events.push("data")
    this.whenData(stream)
  }
  onEnd(stream: QuicStream): void {
    this.ended = true
    this.events.push("end")
    this.whenEnd(stream)
  }
  onDrain(stream: QuicStream): void {
    this.drains++
    this.whenDrain(stream)
  }
  onReset(_stream: QuicStream, code: number): void {
    this.resetCode = code
    this.events.push("reset")
  }
  onStopped(): void {
    this.stopped = true
    this.events.push("stopped")
  }
  onClose(_stream: QuicStream, end: StreamEnd): void {
    this.closed = end
    this.events.push("close")
  }
  field(name: string, section = 0): string | undefined {
    const pairs = this.sections[section]?.[1] ?? []
    const at = pairs.findIndex((each, i) => i % 2 === 0 && each === name)
    return at < 0 ? undefined : pairs[at + 1]
  }
}

/** A connection that writes down what happens to it. */
export class ConnectionLog implements QuicConnectionHandler {
  readonly streams: StreamLog[] = []
  readonly datagrams: string[] = []
  goneAway = false
  closed: string | null = null
  connection: QuicConnection | null = null
  whenStream: (stream: QuicStream, log: StreamLog) => void = () => {}
  accepts = true

  onStream(_connection: QuicConnection, stream: QuicStream): QuicStreamHandler | null {
    const log = new StreamLog()
    this.streams.push(log)
    if (!this.accepts) return null
    this.whenStream(stream, log)
    return log
  }
  onDatagram(_connection: QuicConnection, data: Uint8Array): void {
    this.datagrams.push(Buffer.from(data).toString("latin1"))
  }
  onGoAway(): void {
    this.goneAway = true
  }
  onClose(_connection: QuicConnection, error: string): void {
    this.closed = error
  }
}

export interface TestServer {
  readonly at: QuicListening
  readonly connections: ConnectionLog[]
  readonly failures: string[]
  readonly refusals: string[]
}

export type StreamPlan = (stream: QuicStream, log: StreamLog) => void

export function serve(tls: QuicServerTls, plan: StreamPlan, options: Partial<QuicListenOptions> = {}): TestServer {
  const connections: ConnectionLog[] = []
  const failures: string[] = []
  const refusals: string[] = []
  const at = listenQuic(
    { bind: { host: "127.0.0.1", port: 0 }, tls, ...options },
    {
      onOpen: connection => {
        const log = new ConnectionLog()
        log.connection = connection
        log.whenStream = plan
        connections.push(log)
        return log
      },
      onFailed: detail => failures.push(detail),
      onRefused: (_address, refusal) => refusals.push(refusal),
    },
  )
  return { at, connections, failures, refusals }
}

export const trusting: QuicClientTls = new QuicClientTls({ ca: authority.cert })

export interface Dialed {
  readonly log: ConnectionLog
  readonly connection: QuicConnection | null
  readonly failure: string
}

export function dialTest(port: number, options: Partial<QuicDialOptions> = {}): Promise<Dialed> {
  return new Promise(resolve => {
    const log = new ConnectionLog()
    dialQuic(
      { host: "127.0.0.1", port },
      { time: testTime, tls: trusting, serverName: "a.test", timeoutMs: 3000, ...options },
      {
        onOpen: connection => {
          resolve({ log, connection, failure: "" })
          return log
        },
        onFailed: (kind, detail) => resolve({ log, connection: null, failure: `${kind}: ${detail}` }),
      },
    )
  })
}

export const get: readonly string[] = [":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/"]
export const post: readonly string[] = [":method", "POST", ...get.slice(2)]

/** A request; `fin` when it has no body. */
export function ask(connection: QuicConnection, pairs: readonly string[], fin: boolean): { stream: QuicStream; log: StreamLog } {
  const log = new StreamLog()
  const stream = connection.openStream(log)
  stream.sendHeaders(pairs, "initial", fin)
  return { stream, log }
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1")
