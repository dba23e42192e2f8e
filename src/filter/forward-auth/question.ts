import type { Exchange } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { readValue } from "../headers/edit-fields.ts"
import { compileValue, type ValueReader } from "../variables.ts"
import type { AuthOptions } from "./auth-options.ts"

/** Of the connection, of the body that is not sent, of conditions that would make another answer, and what we say ourselves. */
const withheld = new Set([
  ...[
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
    "max-forwards",
  ],
  ...["content-length", "content-type", "content-encoding", "content-language", "content-location", "content-range", "digest", "content-digest"],
  ...["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "accept-encoding", "proxy-authorization"],
  ...["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"],
  ...["x-forwarded-method", "x-forwarded-uri"],
])

/** Makes the fields of the question from those of the request. */
export class Question {
  private readonly shown: ReadonlySet<string> | null
  private readonly withheld: ReadonlySet<string>
  private readonly own: readonly { readonly name: string; readonly value: readonly ValueReader[] }[]

  constructor({ send, set, copy }: AuthOptions) {
    this.shown = send === undefined ? null : new Set(send.map(name => name.toLowerCase()))
    // Whoever decides must not take the client's word for its own.
    this.withheld = new Set([...withheld, ...[...copy, ...Object.keys(set)].map(name => name.toLowerCase().replaceAll("_", "-"))])
    this.own = Object.entries(set).map(([name, value]) => ({ name, value: compileValue(value) }))
  }

  linesFor(x: Exchange): string {
    let lines = ""
    x.request.forEach((name, value) => {
      const lower = name.toLowerCase()
      // To many servers `X_Forwarded_Uri` is X-Forwarded-Uri.
      if (!this.withheld.has(lower.replaceAll("_", "-")) && (this.shown === null || this.shown.has(lower))) lines += `${name}: ${value}\r\n`
    })
    for (const { name, value } of this.own) {
      const text = readValue(x, value)
      if (text !== "") lines += `${name}: ${text}\r\n`
    }
    return lines + forwardedLines(x)
  }
}

/** Where the request goes and whence it comes, as Traefik says it. Trusted hops in front know better what the client asked for. */
function forwardedLines(x: Exchange): string {
  const hop = x.clientAddress !== x.peerAddress
  const proto = hop ? x.request.get(NAME.xForwardedProto) : ""
  const host = hop ? x.request.get(NAME.xForwardedHost) : ""
  const scheme = proto === "http" || proto === "https" ? proto : x.scheme
  const authority = /^[A-Za-z0-9._:[\]-]+$/.test(host) ? host : x.authority
  return (
    `X-Forwarded-Method: ${x.method}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Host: ${authority}\r\n` +
    `X-Forwarded-Uri: ${x.path}${x.query}\r\nX-Forwarded-For: ${x.clientAddress}\r\n`
  )
}

/** What a decision is remembered by. */
export class DecisionKey {
  private readonly parts: readonly (readonly ValueReader[])[]

  constructor(parts: readonly string[]) {
    this.parts = parts.map(part => (part.includes("$") ? compileValue(part) : compileValue(`\${requestField:${part}}`)))
  }

  /** "" = the request says nothing of itself, and nothing is remembered. Each part behind its length, so that none can look like the next one. */
  of(x: Exchange): string {
    let key = ""
    let isEmpty = true
    for (let i = 0; i < this.parts.length; i++) {
      const text = readValue(x, this.parts[i]!)
      if (text !== "") isEmpty = false
      key += `${text.length}:${text}`
    }
    return isEmpty ? "" : key
  }
}
