/** Frame types of RFC 9113 section 6. */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

/** Error codes of RFC 9113 section 7. */
export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

/** Settings of RFC 9113 section 6.5.2 and RFC 8441 section 3. */
export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

/** What a client says first (RFC 9113 section 3.4). */
export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
export const initialWindow = 65_535
export const initialFrameSize = 16_384
export const windowMax = 2 ** 31 - 1

/** One frame as it came, valid or not. */
export interface Frame {
  readonly type: number
  readonly flags: number
  /** The reserved bit before the stream's number. */
  readonly reserved: boolean
  readonly streamId: number
  readonly payload: Buffer
}

/** What a GOAWAY said. */
export interface Goaway {
  readonly lastStreamId: number
  readonly code: number
  readonly debug: string
}

/** Octets, or text with one octet a character. */
export type Octets = string | Uint8Array

export type SettingName = keyof typeof setting
/** By name, or as pairs of number and value where order, repetition or unknown numbers matter. */
export type Settings = Readonly<Partial<Record<SettingName, number>>> | readonly (readonly [id: number, value: number])[]

export interface Priority {
  readonly dependency?: number
  readonly exclusive?: boolean
  /** As on the wire: 0 stands for weight 1. */
  readonly weight?: number
}

export interface FrameLies {
  /** Announced in place of the payload's real length. */
  readonly length?: number
  readonly reserved?: boolean
}

export function octets(data: Octets): Buffer {
  return typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/** Any frame at all; nothing is checked. */
export function frame(type: number, flags: number, streamId: number, payload: Octets = "", lies: FrameLies = {}): Buffer {
  const body = octets(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(lies.length ?? body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE((streamId | (lies.reserved ? 0x8000_0000 : 0)) >>> 0, 5)
  return Buffer.concat([head, body])
}

export interface DataOptions {
  readonly end?: boolean
  /** Octets of padding; the frame is padded when it is given, even with 0. */
  readonly pad?: number
}

export function dataFrame(streamId: number, data: Octets, { end = false, pad }: DataOptions = {}): Buffer {
  const flags = (end ? flag.endStream : 0) | (pad === undefined ? 0 : flag.padded)
  return frame(frameType.data, flags, streamId, padded(octets(data), pad))
}

export interface HeadersOptions extends DataOptions {
  /** False when CONTINUATION follows. */
  readonly endHeaders?: boolean
  readonly priority?: Priority
}

export function headersFrame(streamId: number, block: Octets, { end = false, endHeaders = true, pad, priority }: HeadersOptions = {}): Buffer {
  const flags =
    (end ? flag.endStream : 0) | (endHeaders ? flag.endHeaders : 0) | (pad === undefined ? 0 : flag.padded) | (priority ? flag.priority : 0)
  const body = priority ? Buffer.concat([priorityOctets(priority), octets(block)]) : octets(block)
  return frame(frameType.headers, flags, streamId, padded(body, pad))
}

export function continuationFrame(streamId: number, block: Octets, endHeaders = true): Buffer {
  return frame(frameType.continuation, endHeaders ? flag.endHeaders : 0, streamId, block)
}

export function priorityFrame(streamId: number, priority: Priority = {}): Buffer {
  return frame(frameType.priority, 0, streamId, priorityOctets(priority))
}

export function rstStreamFrame(streamId: number, code: number): Buffer {
  return frame(frameType.rstStream, 0, streamId, uint32(code))
}

export function settingsFrame(settings: Settings = []): Buffer {
  return frame(frameType.settings, 0, 0, Buffer.concat(settingPairs(settings).map(([id, value]) => Buffer.concat([uint16(id), uint32(value)]))))
}

export function settingsAck(): Buffer {
  return frame(frameType.settings, flag.ack, 0)
}

export function pushPromiseFrame(streamId: number, promisedId: number, block: Octets): Buffer {
  return frame(frameType.pushPromise, flag.endHeaders, streamId, Buffer.concat([uint32(promisedId), octets(block)]))
}

/** `data` should have 8 octets. */
export function pingFrame(data: Octets, ack = false): Buffer {
  return frame(frameType.ping, ack ? flag.ack : 0, 0, data)
}

export function goawayFrame(lastStreamId: number, code: number, debug: Octets = ""): Buffer {
  return frame(frameType.goaway, 0, 0, Buffer.concat([uint32(lastStreamId), uint32(code), octets(debug)]))
}

export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  return frame(frameType.windowUpdate, 0, streamId, uint32(increment))
}

export function settingPairs(settings: Settings): (readonly [id: number, value: number])[] {
  if (Array.isArray(settings)) return settings
  return Object.entries(settings).map(([name, value]) => [setting[name as SettingName], value as number])
}

/** Takes frames out of octets that come in any pieces. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0)

  /** Octets of a frame that is not whole yet. */
  get unread(): Buffer {
    return this.rest
  }

  push(chunk: Uint8Array): Frame[] {
    let bytes = this.rest.length === 0 ? octets(chunk) : Buffer.concat([this.rest, chunk])
    const found: Frame[] = []
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3)
      const id = bytes.readUInt32BE(5)
      // A copy: the socket may use its memory again.
      const payload = Buffer.from(bytes.subarray(9, end))
      found.push({ type: bytes[3]!, flags: bytes[4]!, reserved: id >>> 31 === 1, streamId: id & 0x7fff_ffff, payload })
      bytes = bytes.subarray(end)
    }
    this.rest = Buffer.from(bytes)
    return found
  }
}

/** DATA, or a header block's fragment, without padding and priority. */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  if (type === frameType.continuation) return payload
  const isPadded = (flags & flag.padded) !== 0
  const start = (isPadded ? 1 : 0) + (type === frameType.headers && flags & flag.priority ? 5 : 0) + (type === frameType.pushPromise ? 4 : 0)
  return payload.subarray(start, payload.length - (isPadded ? payload[0]! : 0))
}

/** The code of RST_STREAM or GOAWAY. */
export function codeOf({ type, payload }: Frame): number {
  return payload.readUInt32BE(type === frameType.goaway ? 4 : 0)
}

export function settingsOf({ payload }: Frame): [id: number, value: number][] {
  const found: [number, number][] = []
  for (let at = 0; at + 6 <= payload.length; at += 6) found.push([payload.readUInt16BE(at), payload.readUInt32BE(at + 2)])
  return found
}

/** One line for people, such as `RST_STREAM stream=3 code=CANCEL`. */
export function describeFrame(each: Frame): string {
  const parts = [nameIn(frameType, each.type), `stream=${each.streamId}`, `flags=0x${each.flags.toString(16)}`, `length=${each.payload.length}`]
  if ((each.type === frameType.rstStream && each.payload.length === 4) || (each.type === frameType.goaway && each.payload.length >= 8))
    parts.push(`code=${nameIn(errorCode, codeOf(each))}`)
  return parts.join(" ")
}

/** The name of a number in one of the tables above, as the RFC writes it. */
export function nameIn(table: Readonly<Record<string, number>>, value: number): string {
  const name = Object.keys(table).find(key => table[key] === value)
  return name === undefined ? String(value) : name.replace(/[A-Z]|\d+/g, part => `_${part}`).toUpperCase()
}

function padded(body: Buffer, pad: number | undefined): Buffer {
  return pad === undefined ? body : Buffer.concat([Buffer.from([pad]), body, Buffer.alloc(pad)])
}

function priorityOctets({ dependency = 0, exclusive = false, weight = 15 }: Priority): Buffer {
  return Buffer.concat([uint32((dependency | (exclusive ? 0x8000_0000 : 0)) >>> 0), Buffer.from([weight])])
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}
