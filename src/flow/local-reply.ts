import type { Fault } from "../base/index.ts"
import { BODY_LENGTH, BODY_NONE, NAME, reasonOf } from "../http/index.ts"
import type { Exchange } from "./exchange.ts"
import { grpcReplyLines, grpcReplyType } from "./grpc-reply.ts"

/** Date of local replies, made once a second (RFC 9110 section 6.6.1). */
let dateText = ""
let dateSecond = -1

export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}

/** Answers with these lines and this body. `lines` are ready-made and say the content type when there is a body. */
export function setLocalResponse(x: Exchange, status: number, lines: string, body: Uint8Array | null): void {
  // Of an upstream's answer nothing is left.
  x.pump.held = null
  x.pump.responseDone = false
  if (x.pump.plainDown !== null) x.down = x.pump.plainDown
  x.pump.plainDown = null
  x.status = status
  x.reason = reasonOf(status)
  x.response.reset("")
  x.response.extra = `Date: ${httpDate()}\r\n${lines}`
  // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5.
  const content = status === 204 || status === 205 || status === 304 ? null : body
  x.localBody = content
  x.responseLength = content === null ? 0 : content.length
  x.responseBody = x.responseLength > 0 ? BODY_LENGTH : BODY_NONE
}

/**
 * Answers a fault by itself: status, code and description as text, JSON or HTML, by what Accept prefers (RFC 9110 section 12.5.1).
 * A gRPC call gets a status of gRPC and HTTP's 200, since its client reads nothing else.
 * Says nothing of peers, addresses or the rules behind the decision.
 */
export function localReply(x: Exchange, fault: Fault): void {
  const grpc = grpcReplyType(x)
  if (grpc !== "") setLocalResponse(x, 200, `${grpcReplyLines(grpc, fault)}${x.replyFields}`, null)
  else replyInHttp(x, fault)
  if (fault.close && x.down !== null) x.down.closeAfter(fault)
}

function replyInHttp(x: Exchange, fault: Fault): void {
  const accept = x.request.joined(NAME.accept)
  const kind = preferred(accept)
  const body = Buffer.from(render(kind, fault), "latin1")
  const type = kind === "json" ? "application/json" : kind === "html" ? "text/html; charset=utf-8" : "text/plain; charset=utf-8"
  setLocalResponse(x, fault.status, `Content-Type: ${type}\r\nCache-Control: no-store\r\n${x.replyFields}`, body)
}

type Kind = "text" | "json" | "html"

function preferred(accept: string): Kind {
  if (accept === "" || accept === "*/*") return "text"
  let best: Kind = "text"
  let bestQ = 0
  for (const part of accept.split(",", 16)) {
    const kind = kindOf(part)
    const q = kind === null ? 0 : quality(part)
    if (kind !== null && q > bestQ) {
      best = kind
      bestQ = q
    }
  }
  return best
}

function kindOf(part: string): Kind | null {
  const type = part.split(";", 1)[0]!.trim().toLowerCase()
  if (type === "text/html" || type === "application/xhtml+xml") return "html"
  if (type === "application/json" || type === "application/problem+json" || type === "application/*") return "json"
  return type === "text/plain" || type === "text/*" || type === "*/*" ? "text" : null
}

function quality(part: string): number {
  const match = /;\s*q=([01](?:\.[0-9]{0,3})?)/i.exec(part)
  return match === null ? 1 : Number(match[1])
}

function render(kind: Kind, fault: Fault): string {
  const title = `${fault.status} ${reasonOf(fault.status)}`
  if (kind === "json")
    return `${JSON.stringify({ status: fault.status, error: reasonOf(fault.status), fault: fault.code, detail: fault.description })}\n`
  if (kind === "text") return `${title}\n${fault.description}\nfault: ${fault.code}\n`
  // ASCII only. The empty icon keeps browsers from asking for one where nothing is well.
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36em;padding:0 1em}h1{font-size:1.5em}p+p{font-size:.875em;opacity:.75}</style></head>
<body><h1>${title}</h1><p>${adviceOn(fault)}</p><p>${fault.description}<br><code>${fault.code}</code>, ${httpDate()}</p></body></html>
`
}

/** What a person in front of a browser can make of it. */
function adviceOn({ code, status }: Fault): string {
  if (code === "upstream.certificate-wanted")
    return "This site asks for a certificate of yours, which this proxy cannot show. Trying again once may help."
  if (code.startsWith("upstream.certificate"))
    return "This proxy cannot be sure that it speaks to the site that you asked for, so it shows nothing of it."
  if (code.startsWith("upstream.")) return "The server behind this proxy did not answer as it should. Trying again in a while may help."
  if (status >= 500) return "This proxy cannot serve the request now. Trying again in a while may help."
  if (status === 401 || status === 407) return "A user name and a password are needed."
  if (status === 403 || status === 405) return "This is not allowed here."
  if (status === 404) return "Nothing is served at this address."
  return "This proxy cannot take the request as it is."
}
