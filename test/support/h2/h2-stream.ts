import type { DecodedField, Field } from "./header-block.ts"

/** A head as expectations are about it: repeated fields joined by ", ", pseudo fields with their colon. */
export type HeadRecord = Readonly<Record<string, string>>

export interface H2Response {
  readonly status: number
  readonly headers: HeadRecord
  /** As they came, in their order. */
  readonly fields: readonly Field[]
  /** Octets as latin1. */
  readonly body: string
  /** Null when there were none. */
  readonly trailers: HeadRecord | null
  /** Heads of 1xx, in their order. */
  readonly informational: readonly HeadRecord[]
  /** The code of RST_STREAM, or null. */
  readonly resetCode: number | null
  /** END_STREAM came. */
  readonly ended: boolean
}

/** What came on one stream. */
export class H2Stream {
  readonly id: number
  /** The final head; empty until it comes. */
  head: readonly DecodedField[] = []
  readonly informational: HeadRecord[] = []
  trailers: readonly DecodedField[] | null = null
  ended = false
  /** We sent END_STREAM or RST_STREAM. */
  endedByUs = false
  resetCode: number | null = null
  bodyLength = 0
  private readonly chunks: Buffer[] = []

  constructor(id: number) {
    this.id = id
  }

  get isOver(): boolean {
    return this.ended || this.resetCode !== null
  }

  get headers(): HeadRecord {
    return recordOf(this.head)
  }

  get status(): number {
    return Number(this.headers[":status"] ?? Number.NaN)
  }

  get fields(): readonly Field[] {
    return this.head.map(({ name, value }) => [name, value])
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString("latin1")
  }

  addHead(fields: readonly DecodedField[]): void {
    const isInformational = /^1\d\d$/.test(recordOf(fields)[":status"] ?? "")
    if (this.head.length > 0) this.trailers = fields
    else if (isInformational) this.informational.push(recordOf(fields))
    else this.head = fields
  }

  addData(bytes: Buffer): void {
    this.chunks.push(bytes)
    this.bodyLength += bytes.length
  }

  response(): H2Response {
    const { status, headers, fields, body, informational, resetCode, ended } = this
    return { status, headers, fields, body, trailers: this.trailers && recordOf(this.trailers), informational, resetCode, ended }
  }
}

export function recordOf(fields: readonly DecodedField[]): HeadRecord {
  const record: Record<string, string> = {}
  for (const { name, value } of fields) record[name] = name in record ? `${record[name]}, ${value}` : value
  return record
}
