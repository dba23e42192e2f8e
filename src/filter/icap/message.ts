import { type Exchange, setLocalResponse } from "../../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, BODY_TUNNEL, Fields, NAME, reasonOf } from "../../http/index.ts"
import { IcapError } from "./icap-connection.ts"

/** Fields that frame a message or belong to one connection: what the server says of them is not about ours. */
const framing: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

export function urlOf(x: Exchange): string {
  return x.method === "CONNECT" ? x.authority : `${x.scheme}://${x.authority}${x.path}${x.query}`
}

/** The request's head as a proxy would get it. */
export function requestHead(x: Exchange): string {
  return `${x.method} ${urlOf(x)} HTTP/1.1\r\n${x.request.render()}\r\n`
}

export function responseHead(x: Exchange): string {
  return `HTTP/1.1 ${x.status} ${x.reason === "" ? reasonOf(x.status) : x.reason}\r\n${x.response.render()}\r\n`
}

interface Message {
  readonly start: string
  readonly pairs: readonly (readonly [name: string, value: string])[]
}

function read(head: string): Message {
  const [start = "", ...lines] = head.split("\r\n")
  const pairs: (readonly [string, string])[] = []
  for (const line of lines) {
    if (line === "") continue
    const colon = line.indexOf(":")
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (colon < 1 || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw new IcapError("the server's message breaks the grammar")
    pairs.push([name, value])
  }
  return { start, pairs }
}

/** The server's response takes the place of what there was. */
export function answerWith(x: Exchange, head: string, body: Buffer): void {
  const { start, pairs } = read(head)
  const status = /^HTTP\/1\.[01] ([2-5]\d\d)(?: (.*))?$/.exec(start)
  if (status === null) throw new IcapError("the server's response has no status")
  const lines = pairs.filter(([name]) => !framing.has(name.toLowerCase())).map(([name, value]) => `${name}: ${value}\r\n`)
  // A 2xx to CONNECT would open a tunnel to nobody (RFC 9110 section 9.3.6).
  const code = x.method === "CONNECT" && status[1]!.startsWith("2") ? 403 : Number(status[1])
  setLocalResponse(x, code, lines.join(""), body)
  x.reason = reasonOf(code)
}

/** The server's request takes the place of the client's: fields, path and body. Where it goes has been judged, so that the authority stays. */
export function askWith(x: Exchange, head: string, body: Buffer | null): void {
  const { start, pairs } = read(head)
  const [method, target = ""] = start.split(" ")
  if (method !== x.method) throw new IcapError("the server changes the method")
  if (x.method !== "CONNECT") takeTarget(x, target)
  const kept = pairs.filter(([name]) => !framing.has(name.toLowerCase()) && name.toLowerCase() !== "host")
  const host = x.request.has(NAME.host) ? [["Host", x.request.get(NAME.host)] as const] : []
  const upgrade = (["Connection", "Upgrade"] as const).flatMap(name => {
    const value = x.upgrade === "" ? undefined : x.request.find(name.toLowerCase())
    return value === undefined ? [] : [[name, value] as const]
  })
  const extra = x.request.extra
  const framed = body === null ? framingOf(x) : []
  x.request.copyFrom(Fields.of([...host, ...kept, ...upgrade, ...framed]))
  x.request.extra = extraOf(extra, kept)
  if (body !== null) takeBody(x, body)
}

/** What we added ourselves was rendered for the server and has come back. */
function extraOf(extra: string, kept: readonly (readonly [string, string])[]): string {
  const names = new Set(kept.map(([name]) => name.toLowerCase()))
  const lines = extra.split("\r\n").filter(line => line !== "" && !names.has(line.slice(0, line.indexOf(":")).toLowerCase()))
  return lines.map(line => `${line}\r\n`).join("")
}

function framingOf(x: Exchange): (readonly [string, string])[] {
  const length = x.request.find("content-length")
  const coding = x.request.find("transfer-encoding")
  return [
    ...(length === undefined ? [] : [["Content-Length", length] as const]),
    ...(coding === undefined ? [] : [["Transfer-Encoding", coding] as const]),
  ]
}

function takeTarget(x: Exchange, target: string): void {
  const url = /^(https?):\/\/([^/?#]+)([^?#]*)(\?[^#]*)?$/i.exec(target)
  const [path = "", query = ""] = url === null ? target.split(/(?=\?)/) : [url[3], url[4]]
  if (url !== null && url[2]!.toLowerCase() !== x.authority.toLowerCase())
    throw new IcapError("the server sends the request to another host, which no rule has judged")
  if (!/^\/[\x21-\x7e]*$/.test(path) || !/^[\x21-\x7e]*$/.test(query)) throw new IcapError("the server's target breaks the grammar")
  x.path = path
  x.query = query
}

function takeBody(x: Exchange, body: Buffer): void {
  const { pump } = x
  pump.kept = body.length > 0 ? [body] : null
  pump.keptBytes = body.length
  pump.requestTrailers = ""
  x.requestBody = body.length > 0 ? BODY_LENGTH : BODY_NONE
  x.requestLength = body.length
  if (body.length > 0) x.request.append("Content-Length", String(body.length))
}

/** A response that has a body which a service may see. */
export function hasBody(x: Exchange): boolean {
  return x.responseBody !== BODY_NONE && x.responseBody !== BODY_TUNNEL && x.method !== "HEAD"
}
