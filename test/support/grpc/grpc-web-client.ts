import { connect } from "node:http2"

/** One message, or the trailers, of a gRPC-Web answer. */
export interface WebFrame {
  readonly trailers: boolean
  readonly octets: Buffer
}

/** An answer as it comes. */
export interface WebAnswerParts {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  readonly body: AsyncIterable<Uint8Array>
}

export type WebTransport = (path: string, fields: Readonly<Record<string, string>>, body: Buffer) => Promise<WebAnswerParts>

/** HTTP/1.1 with fetch. */
export function overFetch(port: number): WebTransport {
  return async (path, headers, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body })
    return { status: answer.status, fields: Object.fromEntries(answer.headers), body: (answer.body ?? []) as unknown as AsyncIterable<Uint8Array> }
  }
}

/** HTTP/2 by prior knowledge. */
export function overHttp2(port: number): WebTransport {
  return async (path, fields, body) => {
    const session = connect(`http://127.0.0.1:${port}`)
    const stream = session.request({ ":method": "POST", ":path": path, ...fields })
    stream.end(body)
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, string>>()
    stream.on("response", head => resolve({ ...head } as Record<string, string>))
    stream.on("error", reject)
    stream.on("close", () => session.close())
    const head = await promise
    return { status: Number(head[":status"]), fields: head, body: stream }
  }
}

/** A call of gRPC-Web by hand: one message out, frames back. `text`: base64 both ways. */
export class WebCall {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  private readonly body: AsyncIterable<Uint8Array>
  private readonly text: boolean

  constructor({ status, fields, body }: WebAnswerParts, text: boolean) {
    this.status = status
    this.fields = fields
    this.body = body
    this.text = text
  }

  static async start(transport: WebTransport, path: string, message: Buffer, text: boolean): Promise<WebCall> {
    const type = `application/grpc-web${text ? "-text" : ""}+proto`
    const prefix = Buffer.alloc(5)
    prefix.writeUInt32BE(message.length, 1)
    const octets = Buffer.concat([prefix, message])
    // A client may encode piece by piece.
    const encoded = prefix.toString("base64") + (message.length > 0 ? message.toString("base64") : "")
    const fields = { "content-type": type, accept: type, "x-grpc-web": "1" }
    return new WebCall(await transport(path, fields, text ? Buffer.from(encoded) : octets), text)
  }

  /** Each frame as soon as it is there whole. */
  async *frames(): AsyncGenerator<WebFrame> {
    let octets = Buffer.alloc(0)
    let encoded = ""
    for await (const chunk of this.body) {
      if (this.text) {
        encoded += Buffer.from(chunk).toString("latin1")
        const whole = encoded.length - (encoded.length % 4)
        for (let at = 0; at < whole; at += 4) octets = Buffer.concat([octets, Buffer.from(encoded.slice(at, at + 4), "base64")])
        encoded = encoded.slice(whole)
      } else octets = Buffer.concat([octets, chunk])
      while (octets.length >= 5 && octets.length >= 5 + octets.readUInt32BE(1)) {
        const end = 5 + octets.readUInt32BE(1)
        yield { trailers: (octets[0]! & 0x80) !== 0, octets: octets.subarray(5, end) }
        octets = octets.subarray(end)
      }
    }
    if (octets.length > 0 || encoded.length > 0) throw new Error(`${octets.length} octets are left that are no frame`)
  }

  /** The whole answer: messages, and the trailers, from the last frame or from the head. */
  async whole(): Promise<{ messages: Buffer[]; trailers: Readonly<Record<string, string>> }> {
    const messages: Buffer[] = []
    let trailers: Record<string, string> | null = null
    for await (const frame of this.frames()) {
      if (trailers !== null) throw new Error("something follows the trailers")
      if (frame.trailers) trailers = fieldsOf(frame.octets.toString("latin1"))
      else messages.push(frame.octets)
    }
    return { messages, trailers: trailers ?? this.fields }
  }
}

function fieldsOf(lines: string): Record<string, string> {
  const pairs = lines
    .split("\r\n")
    .filter(line => line !== "")
    .map(line => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as const)
  return Object.fromEntries(pairs)
}
