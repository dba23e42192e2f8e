import type { HeadersKind, QuicStream, QuicStreamHandler, StreamEnd } from "../../../src/net/index.ts"
import { type Field, type Fields, fieldList } from "../h2/header-block.ts"
import type { HeadRecord } from "../h2/h2-stream.ts"
import { patienceMs, until } from "../wait.ts"

/** A whole answer, or what came of it before the stream ended in another way. */
export interface H3Response {
  readonly status: number
  readonly headers: HeadRecord
  readonly body: string
  readonly trailers: HeadRecord | null
  /** The peer's half ended as it should. */
  readonly ended: boolean
  readonly resetCode: number | null
}

/** One stream in a test's hands, at either end: keeps what came in its order, and sends what it is told. */
export class H3Stream implements QuicStreamHandler {
  quic: QuicStream | null = null
  readonly interim: (readonly Field[])[] = []
  fields: readonly Field[] | null = null
  trailers: readonly Field[] | null = null
  readonly chunks: Uint8Array[] = []
  /** Octets that came. */
  length = 0
  ended = false
  resetCode: number | null = null
  /** The other side wants no more. */
  stopped = false
  closed: StreamEnd | null = null
  /** In place of `chunks`, for bodies that are not to be kept. */
  take: ((chunk: Uint8Array) => void) | null = null
  private full = false
  private readonly begun: (stream: H3Stream) => void

  /** `begun` is called with the first head. */
  constructor(begun: (stream: H3Stream) => void = () => {}) {
    this.begun = begun
  }

  get headers(): HeadRecord {
    return recordOf(this.fields ?? [])
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString("latin1")
  }

  // ---- sending

  /** False = the runtime cannot send it. */
  head(fields: Fields, kind: HeadersKind = "initial", fin = false): boolean {
    return this.quic!.sendHeaders(fieldList(fields).flat(), kind, fin)
  }

  /** Sends as fast as the other side takes it; settles when it has been passed on, or the stream is gone. */
  async data(data: string | Uint8Array, { end = false }: { end?: boolean } = {}): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data
    for (let at = 0; at < bytes.length && this.isWritable; at += 65_536) {
      this.full = !this.quic!.write(bytes.subarray(at, at + 65_536))
      if (this.full) await until(() => !this.full || !this.isWritable, 20_000, "room to write")
    }
    if (end) this.quic!.end()
  }

  private get isWritable(): boolean {
    return this.closed === null && !this.stopped
  }

  reset(code = 0x10c): void {
    this.quic!.abort(code)
  }

  // ---- waiting

  headCame(ms = patienceMs): Promise<HeadRecord> {
    return this.wait(() => this.fields !== null, ms, "a head").then(() => this.headers)
  }

  /** Waits for so many octets of the body. */
  async octets(count: number, ms = patienceMs): Promise<string> {
    await this.wait(() => this.length >= count, ms, `${count} octets`)
    return this.body.slice(0, count)
  }

  /** Waits until the stream ends in one way or another. */
  async response(ms = patienceMs): Promise<H3Response> {
    await this.patiently(() => this.ended || this.resetCode !== null || this.closed !== null, ms, "an answer")
    const { headers, body, ended, resetCode } = this
    return { status: Number(headers[":status"]), headers, body, ended, resetCode, trailers: this.trailers && recordOf(this.trailers) }
  }

  /** Waits for a reset and gives its code. */
  async resetCame(ms = patienceMs): Promise<number> {
    await this.patiently(() => this.resetCode !== null || this.closed !== null, ms, "a reset")
    if (this.resetCode === null) throw new Error(`the stream ended without a reset (${this.state})`)
    return this.resetCode
  }

  private async wait(found: () => boolean, ms: number, what: string): Promise<void> {
    await this.patiently(() => found() || this.closed !== null, ms, what)
    if (!found()) throw new Error(`${what} did not come: ${this.state}`)
  }

  private async patiently(found: () => boolean, ms: number, what: string): Promise<void> {
    await until(found, ms, what).catch((error: Error) => {
      throw new Error(`${error.message}: ${this.state}`)
    })
  }

  get state(): string {
    return JSON.stringify({ fields: this.fields, length: this.length, ended: this.ended, reset: this.resetCode, closed: this.closed })
  }

  // ---- the runtime's calls

  onHeaders(_stream: QuicStream, pairs: readonly string[], kind: HeadersKind): void {
    const fields: Field[] = []
    for (let i = 0; i < pairs.length; i += 2) fields.push([pairs[i]!, pairs[i + 1]!])
    if (kind === "informational") this.interim.push(fields)
    else if (kind === "trailing") this.trailers = fields
    else {
      this.fields = fields
      this.begun(this)
    }
  }

  onData(_stream: QuicStream, chunk: Uint8Array): void {
    this.length += chunk.length
    if (this.take !== null) this.take(chunk)
    else this.chunks.push(chunk)
  }

  onEnd(): void {
    this.ended = true
  }

  onDrain(): void {
    this.full = false
  }

  onReset(_stream: QuicStream, code: number): void {
    this.resetCode = code
  }

  onStopped(): void {
    this.stopped = true
  }

  onClose(_stream: QuicStream, end: StreamEnd): void {
    this.closed = end
  }
}

/** Repeated fields joined by ", ". */
export function recordOf(fields: readonly Field[]): HeadRecord {
  const record: Record<string, string> = {}
  for (const [name, value] of fields) record[name] = name in record ? `${record[name]}, ${value}` : value
  return record
}
