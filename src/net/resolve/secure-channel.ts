import { connect as connectHttp2, type ClientHttp2Session } from "node:http2"
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls"
import { isIP } from "node:net"
import type { Transport, TransportHandler } from "./dns-transport.ts"

/** A name server that is spoken to over TLS (RFC 7858) or HTTPS (RFC 8484). */
export interface SecureServer {
  /** `tls://dns.example:853` or `https://dns.example/dns-query`; its host is the name, or the address, that the certificate must bear. */
  readonly url: string
  /** Address literal that is dialled. */
  readonly address: string
  /** PEM text of the authorities that are believed. Default: the system's. */
  readonly ca?: string | undefined
}

/** A connection that nobody uses is closed after this (RFC 7858 section 3.4). */
const IDLE_MS = 20_000
/** Octets that queries are padded to a multiple of (RFC 8467 section 4.1). */
export const PADDED_TO = 128
const ANSWER_BYTES_MAX = 65_535
/** Queries that are out on one connection. */
const QUERIES_MAX = 1024

/** One connection to a server, shared by queries, made when there is one and closed when there has been none for a while. It keeps no process alive. */
export interface SecureChannel {
  send(query: Uint8Array, handler: TransportHandler): Transport
  close(): void
}

export function secureChannel(server: SecureServer): SecureChannel {
  return server.url.startsWith("https:") ? new HttpsChannel(server) : new TlsChannel(server)
}

/** Host and port of the server's URL. */
export function endOf({ url }: SecureServer): { name: string; port: number; path: string } {
  const { hostname, port, pathname, search, protocol } = new URL(url)
  const name = hostname.replace(/^\[|\]$/g, "")
  return { name, port: port !== "" ? Number(port) : protocol === "https:" ? 443 : 853, path: pathname === "" ? "/" : pathname + search }
}

function tlsOptions(server: SecureServer, protocol: string): ConnectionOptions {
  const { name, port } = endOf(server)
  const isAddress = isIP(name) !== 0
  return {
    host: server.address,
    port,
    // An address is not sent as a name (RFC 6066 section 3), and is looked for in the certificate all the same.
    servername: isAddress ? "" : name,
    ALPNProtocols: [protocol],
    ...(server.ca === undefined ? {} : { ca: server.ca }),
  }
}

/** A query that waits for its answer. */
class Pending implements Transport {
  readonly query: Uint8Array
  readonly handler: TransportHandler
  private forget: (() => void) | null = null

  constructor(query: Uint8Array, handler: TransportHandler) {
    this.query = query
    this.handler = handler
  }

  whenClosed(forget: () => void): void {
    this.forget = forget
  }

  get open(): boolean {
    return this.forget !== null
  }

  close(): void {
    const { forget } = this
    this.forget = null
    forget?.()
  }

  /** The answer, with the query's own id. */
  answer(bytes: Uint8Array): void {
    if (!this.open) return
    const copy = Uint8Array.from(bytes)
    copy[0] = this.query[0]!
    copy[1] = this.query[1]!
    this.handler.onMessage(copy)
  }

  fail(reason: string): void {
    if (!this.open) return
    this.close()
    this.handler.onTransportFailed(reason)
  }
}

/** DNS over TLS: messages behind their length, many at a time, told apart by ids of the connection's own. */
class TlsChannel implements SecureChannel {
  private readonly server: SecureServer
  private socket: TLSSocket | null = null
  private readonly waiting = new Map<number, Pending>()
  private received: Buffer = Buffer.alloc(0)
  private nextId = 0
  private idle: ReturnType<typeof setTimeout> | null = null

  constructor(server: SecureServer) {
    this.server = server
  }

  send(query: Uint8Array, handler: TransportHandler): Transport {
    const pending = new Pending(query, handler)
    if (this.waiting.size >= QUERIES_MAX) {
      pending.whenClosed(() => {})
      queueMicrotask(() => pending.fail("too many queries wait at this server"))
      return pending
    }
    const id = this.freeId()
    this.waiting.set(id, pending)
    pending.whenClosed(() => this.forget(id))
    if (this.idle !== null) clearTimeout(this.idle)
    this.idle = null
    const own = Buffer.concat([Uint8Array.of(query.length >>> 8, query.length & 255), query])
    own.writeUInt16BE(id, 2)
    this.connected().write(own)
    return pending
  }

  close(): void {
    if (this.idle !== null) clearTimeout(this.idle)
    this.lose("closed")
  }

  private freeId(): number {
    do this.nextId = (this.nextId + 1) & 0xffff
    while (this.waiting.has(this.nextId))
    return this.nextId
  }

  private connected(): TLSSocket {
    if (this.socket !== null) return this.socket
    const socket = connectTls(tlsOptions(this.server, "dot"))
    this.socket = socket
    this.received = Buffer.alloc(0)
    socket.unref()
    socket.on("error", (error: Error & { code?: string }) => this.lost(socket, error.code ?? error.message))
    socket.on("close", () => this.lost(socket, "the server closed the connection"))
    socket.on("data", (chunk: Buffer) => this.receive(socket, chunk))
    return socket
  }

  private receive(socket: TLSSocket, chunk: Buffer): void {
    if (socket !== this.socket) return
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    while (this.received.length >= 2) {
      const end = 2 + this.received.readUInt16BE(0)
      if (this.received.length < end) return
      const message = this.received.subarray(2, end)
      this.received = this.received.subarray(end)
      // Nobody else can speak on this connection: what fits nothing was given up.
      if (message.length >= 2) this.waiting.get(message.readUInt16BE(0))?.answer(message)
    }
  }

  private forget(id: number): void {
    this.waiting.delete(id)
    if (this.waiting.size > 0 || this.socket === null || this.idle !== null) return
    this.idle = setTimeout(() => this.lose("idle"), IDLE_MS)
    this.idle.unref()
  }

  private lost(socket: TLSSocket, reason: string): void {
    if (socket === this.socket) this.lose(reason)
  }

  private lose(reason: string): void {
    const { socket } = this
    this.socket = null
    socket?.destroy()
    for (const pending of [...this.waiting.values()]) pending.fail(reason)
  }
}

/** DNS over HTTPS: a POST for each query over one HTTP/2 connection; the id is 0, which caches want (RFC 8484 section 4.1). */
class HttpsChannel implements SecureChannel {
  private readonly server: SecureServer
  private readonly path: string
  private session: ClientHttp2Session | null = null
  private readonly waiting = new Set<Pending>()
  private idle: ReturnType<typeof setTimeout> | null = null

  constructor(server: SecureServer) {
    this.server = server
    this.path = endOf(server).path
  }

  send(query: Uint8Array, handler: TransportHandler): Transport {
    const pending = new Pending(query, handler)
    pending.whenClosed(() => this.forget(pending))
    this.waiting.add(pending)
    if (this.idle !== null) clearTimeout(this.idle)
    this.idle = null
    if (this.waiting.size > QUERIES_MAX) queueMicrotask(() => pending.fail("too many queries wait at this server"))
    else this.post(pending)
    return pending
  }

  close(): void {
    if (this.idle !== null) clearTimeout(this.idle)
    this.lose("closed")
  }

  private post(pending: Pending): void {
    const body = Uint8Array.from(pending.query)
    body[0] = body[1] = 0
    const stream = this.connected().request({
      ":method": "POST",
      ":path": this.path,
      "content-type": "application/dns-message",
      accept: "application/dns-message",
      "content-length": String(body.length),
    })
    let status = 0
    let received = Buffer.alloc(0)
    stream.on("response", fields => void (status = Number(fields[":status"])))
    stream.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length > ANSWER_BYTES_MAX) stream.close(8)
    })
    stream.on("error", (error: Error & { code?: string }) => pending.fail(error.code ?? error.message))
    stream.on("end", () => {
      if (status !== 200) pending.fail(`HTTP status ${status}`)
      else if (received.length < 12) pending.fail("an answer that is too short")
      else pending.answer(received)
    })
    stream.on("close", () => pending.fail("the server ended the answer"))
    stream.end(body)
  }

  private connected(): ClientHttp2Session {
    if (this.session !== null) return this.session
    const { name, port } = endOf(this.server)
    const authority = `https://${name.includes(":") ? `[${name}]` : name}:${port}`
    const session = connectHttp2(authority, { createConnection: () => connectTls(tlsOptions(this.server, "h2")) })
    this.session = session
    session.unref()
    session.on("error", (error: Error & { code?: string }) => this.lost(session, error.code ?? error.message))
    session.on("goaway", () => void (this.session = this.session === session ? null : this.session))
    session.on("close", () => this.lost(session, "the server closed the connection"))
    return session
  }

  private forget(pending: Pending): void {
    this.waiting.delete(pending)
    if (this.waiting.size > 0 || this.session === null || this.idle !== null) return
    this.idle = setTimeout(() => this.lose("idle"), IDLE_MS)
    this.idle.unref()
  }

  private lost(session: ClientHttp2Session, reason: string): void {
    if (session === this.session) this.lose(reason)
  }

  private lose(reason: string): void {
    const { session } = this
    this.session = null
    session?.destroy()
    for (const pending of [...this.waiting]) pending.fail(reason)
  }
}
