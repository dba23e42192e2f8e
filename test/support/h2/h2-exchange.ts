import type { H2Connection } from "./h2-connection.ts"
import { errorCode, type Octets } from "./frames.ts"
import { type Fields, type Field, fieldList } from "./header-block.ts"
import { type HeadRecord, type H2Stream, recordOf } from "./h2-stream.ts"

/** One request at the origin, and the means to answer it, in any order and as wrong as is wanted. */
export class H2Exchange {
  readonly connection: H2Connection
  readonly stream: H2Stream
  /** Counts requests of the origin from 0. */
  readonly index: number

  constructor(connection: H2Connection, stream: H2Stream, index: number) {
    this.connection = connection
    this.stream = stream
    this.index = index
  }

  get streamId(): number {
    return this.stream.id
  }

  /** With pseudo fields; repeated fields joined by ", ". */
  get headers(): HeadRecord {
    return this.stream.headers
  }

  get fields(): readonly Field[] {
    return this.stream.fields
  }

  get method(): string {
    return this.headers[":method"] ?? ""
  }

  get path(): string {
    return this.headers[":path"] ?? ""
  }

  /** Of an extended CONNECT (RFC 8441), or "". */
  get protocol(): string {
    return this.headers[":protocol"] ?? ""
  }

  get trailers(): HeadRecord | null {
    return this.stream.trailers && recordOf(this.stream.trailers)
  }

  /** Waits for the whole body; with a count for that many octets only. */
  async body(count?: number, ms?: number): Promise<string> {
    if (count !== undefined) return this.connection.body(this.streamId, count, ms)
    return (await this.connection.response(this.streamId, ms)).body
  }

  informational(status: number, fields: Fields = []): void {
    this.connection.headers(this.streamId, [[":status", String(status)], ...fieldList(fields)])
  }

  head(status: number, fields: Fields = [], { end = false }: { end?: boolean } = {}): void {
    this.connection.headers(this.streamId, [[":status", String(status)], ...fieldList(fields)], { end })
  }

  /** As the client's windows allow. */
  data(data: Octets, { end = false }: { end?: boolean } = {}): Promise<void> {
    return this.connection.upload(this.streamId, data, { end })
  }

  end(): Promise<void> {
    return this.data("", { end: true })
  }

  sendTrailers(fields: Fields): void {
    this.connection.headers(this.streamId, fields, { end: true })
  }

  /** A whole response. */
  async respond(status = 200, body: Octets = "", fields: Fields = [], trailers?: Fields): Promise<void> {
    const isBare = body.length === 0 && trailers === undefined
    this.head(status, fields, { end: isBare })
    if (!isBare) await this.data(body, { end: trailers === undefined })
    if (trailers !== undefined && this.stream.resetCode === null) this.sendTrailers(trailers)
  }

  reset(code: number = errorCode.cancel): void {
    this.connection.reset(this.streamId, code)
  }

  /** GOAWAY on the connection; by default this request is the last that counts. */
  goaway(lastStreamId = this.streamId, code: number = errorCode.noError): void {
    this.connection.goaway(lastStreamId, code)
  }
}
