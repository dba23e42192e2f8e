/**
 * A second opinion on HTTP/1.1 messages, written without the code under test and for clarity alone: what it takes can be read in one way only.
 * Strings are latin1, one character an octet. Anything that RFC 9112 lets a recipient forgive is an error here.
 */
export interface StrictMessage {
  /** First line without CRLF. */
  readonly start: string
  readonly method: string
  readonly target: string
  /** 0 for requests. */
  readonly status: number
  /** In order, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly trailers: string
  readonly framing: "none" | "length" | "chunked" | "close" | "tunnel"
}

export type Reading =
  | { readonly is: "whole"; readonly message: StrictMessage; readonly end: number }
  /** `body`: what has come of it, null while the head is not whole. */
  | { readonly is: "partial"; readonly body: string | null; readonly head: StrictMessage | null }
  | { readonly is: "bad"; readonly why: string }

class Bad extends Error {}

const PARTIAL = Symbol("partial")

export function field(message: StrictMessage, name: string): string | undefined {
  return message.fields.find(([key]) => key === name)?.[1]
}

/** Reads the request at `at`. `extensions`: chunk extensions are taken and dropped; what we send ourselves has none. */
export function readRequest(text: string, at = 0, extensions = false): Reading {
  return attempt(
    () => {
      const head = headAt(text, at)
      if (head === PARTIAL) return null
      const [, method, target] =
        /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP\/1\.[01]$/.exec(head.start) ?? bad(`request line ${JSON.stringify(head.start)}`)
      const hosts = head.fields.filter(([name]) => name === "host")
      if (head.start.endsWith("1.1") && hosts.length !== 1) bad(`${hosts.length} Host fields`)
      const framing = explicitFraming(head.fields) ?? "none"
      return { head, framing, start: { method: method!, target: target!, status: 0 } }
    },
    text,
    false,
    extensions,
  )
}

/** Reads the response at `at` to a request with this method. `ended`: the connection has ended behind the text. */
export function readResponse(text: string, at: number, method: string, ended: boolean, extensions = false): Reading {
  return attempt(
    () => {
      const head = headAt(text, at)
      if (head === PARTIAL) return null
      const [, code] = /^HTTP\/1\.[01] ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?$/.exec(head.start) ?? bad(`status line ${JSON.stringify(head.start)}`)
      const status = Number(code)
      return { head, framing: responseFraming(head.fields, status, method), start: { method: "", target: "", status } }
    },
    text,
    ended,
    extensions,
  )
}

interface Head {
  readonly start: string
  readonly fields: [string, string][]
  readonly end: number
}

interface Parsed {
  readonly head: Head
  readonly framing: StrictMessage["framing"]
  readonly start: { readonly method: string; readonly target: string; readonly status: number }
}

function bad(why: string): never {
  throw new Bad(why)
}

function attempt(parse: () => Parsed | null, text: string, ended: boolean, extensions: boolean): Reading {
  try {
    const parsed = parse()
    if (parsed === null) return { is: "partial", body: null, head: null }
    const { head, framing, start } = parsed
    const base = { ...start, start: head.start, fields: head.fields, framing }
    const body = framing === "chunked" ? chunksAt(text, head.end, extensions) : bodyAt(text, head, framing, ended)
    if (!body.whole) return { is: "partial", body: body.body, head: { ...base, body: "", trailers: "" } }
    return { is: "whole", message: { ...base, body: body.body, trailers: body.trailers }, end: body.end }
  } catch (error) {
    if (error instanceof Bad) return { is: "bad", why: error.message }
    throw error
  }
}

function headAt(text: string, at: number): Head | typeof PARTIAL {
  const blank = text.indexOf("\r\n\r\n", at)
  if (blank < 0) return PARTIAL
  const [start, ...lines] = text.slice(at, blank).split("\r\n")
  return { start: start!, fields: lines.map(fieldOf), end: blank + 4 }
}

function fieldOf(line: string): [string, string] {
  const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*)$/.exec(line) ?? bad(`field line ${JSON.stringify(line)}`)
  return [match[1]!.toLowerCase(), match[2]!.replace(/[ \t]+$/, "")]
}

function explicitFraming(fields: readonly [string, string][]): "length" | "chunked" | null {
  const lengths = fields.filter(([name]) => name === "content-length")
  const codings = fields.filter(([name]) => name === "transfer-encoding")
  if (lengths.length + codings.length > 1) bad("more than one field says how the body is framed")
  if (codings.length === 1) return codings[0]![1].toLowerCase() === "chunked" ? "chunked" : bad(`Transfer-Encoding ${codings[0]![1]}`)
  if (lengths.length === 0) return null
  return /^[0-9]{1,15}$/.test(lengths[0]![1]) ? "length" : bad(`Content-Length ${lengths[0]![1]}`)
}

function responseFraming(fields: readonly [string, string][], status: number, method: string): StrictMessage["framing"] {
  const said = explicitFraming(fields)
  if (status === 101 || (method === "CONNECT" && status >= 200 && status < 300)) return said === null ? "tunnel" : bad("a tunnel has no framing")
  if (status < 200 || status === 204) return said === null ? "none" : bad(`${status} has no framing`)
  if (method === "HEAD" || status === 304) return "none"
  return said ?? "close"
}

interface Body {
  readonly body: string
  readonly trailers: string
  readonly whole: boolean
  readonly end: number
}

function bodyAt(text: string, head: Head, framing: StrictMessage["framing"], ended: boolean): Body {
  if (framing === "close") return { body: text.slice(head.end), trailers: "", whole: ended, end: text.length }
  const length = framing === "length" ? Number(head.fields.find(([name]) => name === "content-length")![1]) : 0
  const body = text.slice(head.end, head.end + length)
  return { body, trailers: "", whole: body.length === length, end: head.end + length }
}

const SIZE = /^[0-9a-fA-F]{1,12}$/
const SIZE_EXTENDED = /^[0-9a-fA-F]{1,12}(?:;[\t -~\x80-\xff]*)?$/
const EXTENSION =
  /^[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?/

function isExtendedSize(line: string): boolean {
  if (!SIZE_EXTENDED.test(line)) return false
  const semicolon = line.indexOf(";")
  for (let rest = semicolon < 0 ? "" : line.slice(semicolon); rest !== ""; ) {
    const extension = /^[ \t]*;/.exec(rest)
    const taken = extension === null ? null : EXTENSION.exec(rest.slice(extension[0].length))
    if (taken === null) return false
    rest = rest.slice(extension![0].length + taken[0].length)
  }
  return true
}

function chunksAt(text: string, at: number, extensions: boolean): Body {
  let body = ""
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at)
    const line = lineEnd < 0 ? text.slice(at) : text.slice(at, lineEnd)
    const sound = lineEnd < 0 ? extensions || /^[0-9a-fA-F]*\r?$/.test(line) : extensions ? isExtendedSize(line) : SIZE.test(line)
    if (!sound) bad(`chunk size ${JSON.stringify(line.slice(0, 40))}`)
    if (lineEnd < 0) return { body, trailers: "", whole: false, end: at }
    const size = Number.parseInt(line, 16)
    if (size === 0) return trailersAt(text, lineEnd + 2, body)
    const data = text.slice(lineEnd + 2, lineEnd + 2 + size)
    body += data
    at = lineEnd + 2 + size
    const end = text.slice(at, at + 2)
    if (!"\r\n".startsWith(end)) bad(`${JSON.stringify(end)} behind a chunk`)
    if (end.length < 2) return { body, trailers: "", whole: false, end: at }
    at += 2
  }
}

function trailersAt(text: string, at: number, body: string): Body {
  if (text.startsWith("\r\n", at)) return { body, trailers: "", whole: true, end: at + 2 }
  const blank = text.indexOf("\r\n\r\n", at)
  if (blank < 0) return { body, trailers: "", whole: false, end: at }
  const section = text.slice(at, blank)
  section.split("\r\n").forEach(fieldOf)
  return { body, trailers: section, whole: true, end: blank + 4 }
}
