/** A message as a test sees it: what came, and the parts that expectations are about. */
export interface Message {
  /** First line, without CRLF. */
  readonly start: string
  /** The head as it came, up to and including the empty line. */
  readonly head: string
  /** Values by lower-case name, repeated fields joined by ", ". */
  readonly fields: Readonly<Record<string, string>>
  /** The body with its transfer coding taken off, octets as latin1. */
  readonly body: string
  /** Trailer lines of a chunked body, as they came; "" when there are none. */
  readonly trailers: string
}

export interface ResponseMessage extends Message {
  readonly status: number
}

/** How the body of a message is delimited. Deliberately naive: it is the test's own opinion, made without the code under test. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "end" }

export function fieldsOf(head: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(":")
    if (colon < 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    fields[name] = name in fields ? `${fields[name]}, ${value}` : value
  }
  return fields
}

export function requestFraming(fields: Readonly<Record<string, string>>): Framing {
  return explicitFraming(fields) ?? { kind: "none" }
}

/** `method`: what the response answers; a HEAD response and a 2xx to CONNECT have no body. */
export function responseFraming(status: number, fields: Readonly<Record<string, string>>, method: string): Framing {
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return { kind: "none" }
  if (method === "CONNECT" && status < 300) return { kind: "none" }
  return explicitFraming(fields) ?? { kind: "end" }
}

function explicitFraming(fields: Readonly<Record<string, string>>): Framing | null {
  if (/\bchunked$/i.test(fields["transfer-encoding"] ?? "")) return { kind: "chunked" }
  const length = fields["content-length"]
  return length === undefined ? null : { kind: "length", length: Number(length) }
}
