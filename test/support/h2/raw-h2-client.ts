import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import { patienceMs, within } from "../wait.ts"
import { type Octets, octets, preface } from "./frames.ts"
import { H2Connection, type H2ConnectionOptions, type HeadOptions } from "./h2-connection.ts"
import { type Fields, fieldList } from "./header-block.ts"

export interface RawH2ClientOptions extends H2ConnectionOptions {
  /** Speaks TLS and offers h2; the certificate is not checked. */
  readonly tls?: { readonly servername?: string; readonly cert?: string; readonly key?: string }
  /** False sends neither preface nor SETTINGS: all is left to the test. */
  readonly preface?: boolean
}

export interface RequestOptions extends HeadOptions {
  /** Sent as the windows allow, and ends the stream unless `end` is false. */
  readonly body?: Octets
}

/** A client that sends the frames it is told. Close it with `using`, or `destroy`. */
export class RawH2Client extends H2Connection {
  private nextId = 1

  /**
   * Sends a request and gives its stream. Pseudo fields that are left out are added: GET, https or http, `/`, and an authority; `:x: undefined` leaves
   * one out. Without a body the head ends the stream, unless `end` is false.
   */
  request(fields: Readonly<Record<string, string | undefined>> | Fields = {}, { body, end = true, ...options }: RequestOptions = {}): number {
    const id = this.openStream()
    this.headers(id, this.completed(fields), { ...options, end: end && body === undefined })
    if (body !== undefined) void this.upload(id, octets(body), { end })
    return id
  }

  /** The number of the next stream, for those who send its frames themselves. */
  openStream(): number {
    const id = this.nextId
    this.nextId += 2
    return id
  }

  private completed(fields: Readonly<Record<string, string | undefined>> | Fields): Fields {
    if (Array.isArray(fields)) return fields
    const scheme = this.alpn === "" ? "http" : "https"
    const all = { ":method": "GET", ":scheme": scheme, ":path": "/", ":authority": "a.test", ...fields }
    return fieldList(all as Record<string, string>).filter(([, value]) => value !== undefined)
  }
}

/** Connects by prior knowledge, or with TLS and ALPN. Sends the preface and SETTINGS; nothing is waited for but the connection itself. */
export async function rawH2Client(port: number, options: RawH2ClientOptions = {}): Promise<RawH2Client> {
  const target = { port, host: "127.0.0.1", allowHalfOpen: true }
  const socket = options.tls ? connectTls({ ...target, rejectUnauthorized: false, ALPNProtocols: ["h2"], ...options.tls }) : connect(target)
  const client = new RawH2Client(socket, options)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once(options.tls ? "secureConnect" : "connect", () => resolve())
  socket.once("error", reject)
  socket.once("close", () => reject(new Error(`the connection to ${port} ended`)))
  await within(promise, patienceMs, () => `no connection to ${port}`)
  if (!options.tls) socket.setNoDelay(true)
  if (options.preface === false) return client
  client.send(preface)
  if (options.settings !== null) client.settings(options.settings ?? {})
  return client
}
