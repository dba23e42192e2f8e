// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import { contentLength } from "../content-length.ts"
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import { reasonOf } from "../reason.ts"
import { isOfConnection } from "./connection-fields.ts"
import type { HeaderSink } from "./hpack/decoder.ts"
import type { HeaderEntry } from "./hpack/entry.ts"

/** What a header section of an answer may cost. */
export interface ResponseLimits {
  readonly headBytesMax: number
  readonly fieldsMax: number
}

/**
 * Reads a decoded header section of an answer into a message (RFC 9113 section 8.3.2), in the same form as HTTP/1.1 gives it. One for the thread: a
 * section is read in one go.
 */
class ResponseFields implements HeaderSink {
  private m: Message | null = null
  private limits: ResponseLimits | null = null
  private text = ""
  private size = 0
  private status = 0
  private bad = false
  private tooLarge = false
  /** Trailer fields will follow; read before the next section. */
  announcesTrailers = false

  begin(m: Message, limits: ResponseLimits): void {
    this.m = m
    this.limits = limits
    this.text = ""
    this.size = 0
    this.status = 0
    this.bad = false
    this.tooLarge = false
    this.announcesTrailers = false
    m.response.reset("")
  }

  onField(entry: HeaderEntry): void {
    // After a mistake the table must still be kept up to date, and nothing else.
    if (this.bad || this.tooLarge) return
    if (!entry.sound) {
      this.bad = true
      return
    }
    const fields = this.m!.response
    this.size += entry.size
    if (this.size > this.limits!.headBytesMax || fields.count >= this.limits!.fieldsMax) {
      this.tooLarge = true
      return
    }
    if (entry.pseudo) {
      if (entry.name !== ":status" || this.status !== 0 || fields.count > 0) this.bad = true
      else this.status = statusOf(entry.value)
      if (this.status === 0) this.bad = true
      return
    }
    if (isOfConnection(entry.id)) {
      this.bad = true
      return
    }
    if (entry.id === NAME.trailer) {
      this.announcesTrailers = true
      return
    }
    const at = this.text.length
    this.text += entry.line
    fields.push(entry.id, at, at + entry.name.length, at + entry.name.length + 2, at + entry.line.length - 2)
  }

  /** The section is whole; null = sound. `ends`: no body follows. */
  finish(ends: boolean): Fault | null {
    const m = this.m!
    const fields = m.response
    fields.raw = this.text
    fields.end = this.text.length
    if (this.tooLarge) return FAULT.responseTooLarge
    const { status } = this
    // 101 means nothing here (section 8.6).
    if (this.bad || status === 0 || status === 101 || (status < 200 && ends)) return FAULT.malformedResponse
    m.status = status
    m.reason = reasonOf(status)
    return this.readBody(m, ends)
  }

  private readBody(m: Message, ends: boolean): Fault | null {
    m.responseBody = BODY_NONE
    m.responseLength = 0
    if (m.status < 200) return null
    const length = contentLength(m.response)
    if (length === -2) return FAULT.malformedResponse
    if (m.method === "CONNECT" && m.status < 300) {
      m.responseBody = BODY_TUNNEL
      return ends ? FAULT.malformedResponse : null
    }
    if (m.method === "HEAD" || m.status === 204 || m.status === 304) {
      m.responseLength = length < 0 ? 0 : length
      return null
    }
    if (ends) return length > 0 ? FAULT.malformedResponse : null
    m.responseBody = length < 0 ? BODY_CHUNKED : BODY_LENGTH
    m.responseLength = length < 0 ? 0 : length
    return null
  }
}

/** Three digits, else 0. */
function statusOf(value: string): number {
  if (value.length !== 3) return 0
  let status = 0
  for (let i = 0; i < 3; i++) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return 0
    status = status * 10 + digit
  }
  return status < 100 ? 0 : status
}

export const responseFields: ResponseFields = new ResponseFields()
