// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import { contentLength } from "../content-length.ts"
import { CLASS, TARGET, TOKEN } from "../grammar.ts"
import { isLookalike } from "../lookalike.ts"
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import { readExpect, readRulePath } from "../request-facts.ts"
import type { HeadLimits } from "../server-hooks.ts"
import { readTarget } from "../target.ts"
import { isOfConnection } from "./connection-fields.ts"
import type { HeaderSink } from "./hpack/decoder.ts"
import type { HeaderEntry } from "./hpack/entry.ts"

const METHOD_OCTETS_MAX = 32

/**
 * Reads a decoded header section into a message (RFC 9113 section 8.3.1). The fields get the same form as those of HTTP/1.1, so that nobody behind this
 * room sees a difference and no octet can mean more there than it did here. One for the thread: a section is read in one go.
 */
class RequestFields implements HeaderSink {
  private m: Message | null = null
  private limits: HeadLimits | null = null
  private forward = false
  private text = ""
  private size = 0
  private method = ""
  private scheme = ""
  private path = ""
  private authority = ""
  private protocol = ""
  private cookies = ""
  private host = ""
  private regular = false
  private bad = false
  private tooLarge = false
  /** The client takes trailers. */
  trailers = false
  /** `forward`: the listener is a forward proxy, whose clients name an origin in each request. */
  begin(m: Message, limits: HeadLimits, forward: boolean): void {
    this.m = m
    this.forward = forward
    this.limits = limits
    this.text = ""
    this.size = 0
    this.method = ""
    this.scheme = ""
    this.path = ""
    this.authority = ""
    this.protocol = ""
    this.cookies = ""
    this.host = ""
    this.regular = false
    this.bad = false
    this.tooLarge = false
    this.trailers = false
    m.request.reset("")
  }

  onField(entry: HeaderEntry): void {
    // After a mistake the table must still be kept up to date, and nothing else.
    if (this.bad || this.tooLarge) return
    if (!entry.sound) {
      this.bad = true
      return
    }
    this.size += entry.size
    if (this.size > this.limits!.headBytesMax || this.m!.request.count >= this.limits!.fieldsMax) {
      this.tooLarge = true
      return
    }
    if (entry.pseudo) this.pseudo(entry)
    else this.field(entry)
  }

  private pseudo(entry: HeaderEntry): void {
    const value = entry.value
    let before = ""
    switch (entry.name) {
      case ":method":
        before = this.method
        this.method = value
        break
      case ":scheme":
        before = this.scheme
        this.scheme = value
        break
      case ":path":
        before = this.path
        this.path = value
        break
      case ":authority":
        before = this.authority
        this.authority = value
        break
      case ":protocol":
        before = this.protocol
        this.protocol = value
        break
      default:
        this.bad = true
    }
    // Each once, none empty, all of them in front of the others (section 8.3).
    if (before !== "" || this.regular || value === "") this.bad = true
  }

  private field(entry: HeaderEntry): void {
    if (!this.regular) {
      this.regular = true
      if (this.authority !== "") this.push(NAME.host, 4, `host: ${this.authority}\r\n`)
    }
    if (isOfConnection(entry.id)) {
      this.bad = true
      return
    }
    switch (entry.id) {
      case NAME.te:
        if (entry.value === "trailers") this.trailers = true
        else this.bad = true
        return
      case NAME.http2Settings:
      case NAME.trailer:
        return
      case NAME.host:
        // One host, whoever says it (section 8.3.1).
        if (this.host !== "" || (this.authority !== "" && entry.value !== this.authority)) this.bad = true
        this.host = entry.value
        if (this.authority === "") this.push(NAME.host, 4, entry.line)
        return
      case NAME.cookie:
        // A cookie in crumbs becomes one line again (section 8.2.3).
        this.cookies = this.cookies === "" ? entry.value : `${this.cookies}; ${entry.value}`
        return
      case NAME.other:
        if (isLookalike(entry.name, 0, entry.name.length)) this.m!.request.lookalike = true
        break
      default:
    }
    this.push(entry.id, entry.name.length, entry.line)
  }

  private push(id: number, nameLength: number, line: string): void {
    const at = this.text.length
    this.text += line
    this.m!.request.push(id, at, at + nameLength, at + nameLength + 2, at + line.length - 2)
  }

  /** The section is whole. null = sound; a fault with status 0 or `malformed` = the message is none (section 8.1.1). `ends`: no body follows. */
  finish(ends: boolean): Fault | null {
    const m = this.m!
    const fields = m.request
    if (!this.regular && this.authority !== "") this.push(NAME.host, 4, `host: ${this.authority}\r\n`)
    if (this.cookies !== "") this.push(NAME.cookie, 6, `cookie: ${this.cookies}\r\n`)
    fields.raw = this.text
    fields.end = this.text.length
    m.version = 20
    m.method = this.method
    m.authority = this.authority === "" ? this.host : this.authority
    m.requestBody = BODY_NONE
    m.upgrade = ""
    if (this.bad) return FAULT.malformed
    if (this.tooLarge) return FAULT.fieldsTooLarge
    if (!this.shapely() || fields.lookalike) return FAULT.malformed
    return this.readTarget(m) ?? this.readBody(m, ends) ?? readExpect(m) ?? readRulePath(m)
  }

  /** Which pseudo fields there must be, and which not (sections 8.3.1 and 8.5, RFC 8441 section 4). */
  private shapely(): boolean {
    const { method } = this
    if (method === "" || method.length > METHOD_OCTETS_MAX || !all(method, TOKEN)) return false
    if (method === "CONNECT" && this.protocol === "") return this.authority !== "" && this.scheme === "" && this.path === ""
    if (this.protocol !== "" && (method !== "CONNECT" || !all(this.protocol, TOKEN))) return false
    return this.scheme !== "" && this.path !== ""
  }

  private readTarget(m: Message): Fault | null {
    const { path } = this
    m.forwardForm = false
    if (m.method === "CONNECT" && this.protocol === "") return readTarget(m, this.authority)
    if (path.length > this.limits!.targetBytesMax) return FAULT.targetTooLong
    if (!all(path, TARGET)) return FAULT.malformed
    if (path.charCodeAt(0) !== 47 && !(path === "*" && m.method === "OPTIONS")) return FAULT.badTarget
    if (m.authority === "") return FAULT.badHost
    if (this.forward) {
      // It says the scheme of its URL; of any other request the connection tells.
      if (this.scheme !== "http" && this.scheme !== "https") return FAULT.badTarget
      m.scheme = this.scheme
      m.forwardForm = true
    }
    if (this.protocol !== "") {
      // Behind this room it is the Upgrade that HTTP/1.1 knows.
      m.method = "GET"
      m.upgrade = this.protocol.toLowerCase()
    }
    return readTarget(m, path)
  }

  private readBody(m: Message, ends: boolean): Fault | null {
    const length = contentLength(m.request)
    if (length === -2 || (ends && length > 0)) return FAULT.malformed
    if (ends) {
      if (length < 0 && meansContent(m.method)) m.request.append("Content-Length", "0")
      return null
    }
    // An octet behind CONNECT is the tunnel's.
    if (m.upgrade !== "" || m.method === "CONNECT") return length >= 0 ? FAULT.malformed : null
    m.requestBody = length >= 0 ? BODY_LENGTH : BODY_CHUNKED
    m.requestLength = length >= 0 ? length : 0
    return null
  }
}

/** Says an HTTP/1.1 request of this method that it has no content, where END_STREAM said so here (RFC 9110 section 8.6)? Some origins answer 411 otherwise. */
function meansContent(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH"
}

export const requestFields: RequestFields = new RequestFields()

function all(text: string, bits: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255 || (CLASS[code]! & bits) === 0) return false
  }
  return true
}
