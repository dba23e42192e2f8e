import { Agent as PlainAgent, type IncomingMessage, request as plainRequest } from "node:http"
import { Agent, request } from "node:https"
import { version } from "../../version.ts"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Question {
  readonly method: "GET" | "HEAD" | "POST"
  readonly body?: string
  readonly contentType?: string
}

/** Octets of an answer. Chains of certificates are the longest and have 10 KB. */
const BODY_BYTES_MAX = 1024 * 1024

/** Asks one server, whose certificate is checked. Connections are kept for the next question. */
export class HttpsClient {
  readonly #secure: Agent
  readonly #plain = new PlainAgent({ keepAlive: true })
  readonly #timeoutMs: number
  readonly #ca: string | undefined

  /** `ca`: PEM of the authorities that are believed; null = the runtime's. */
  constructor(ca: string | null, timeoutMs: number) {
    this.#ca = ca ?? undefined
    this.#secure = new Agent({ keepAlive: true, ca: this.#ca })
    this.#timeoutMs = timeoutMs
  }

  /** Rejects when there is no whole answer in time; whatever status it has, an answer is one. */
  ask(url: string, question: Question): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const limit = AbortSignal.timeout(this.#timeoutMs)
    const { method, body = "", contentType } = question
    const headers = {
      "User-Agent": `bothways/${version}`,
      ...(contentType === undefined ? {} : { "Content-Type": contentType, "Content-Length": String(Buffer.byteLength(body)) }),
    }
    const secure = url.startsWith("https:")
    const options = { method, headers, signal: limit }
    const take = (response: IncomingMessage): void => void collect(response).then(resolve, reject)
    const asked = secure
      ? request(url, { ...options, agent: this.#secure, ca: this.#ca }, take)
      : plainRequest(url, { ...options, agent: this.#plain }, take)
    asked.on("error", error => reject(limit.aborted ? new Error(`no answer within ${this.#timeoutMs} ms`) : error))
    asked.end(body)
    return promise
  }

  close(): void {
    this.#secure.destroy()
    this.#plain.destroy()
  }
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response) {
    length += (part as Buffer).length
    if (length > BODY_BYTES_MAX) throw new Error(`its answer has more than ${BODY_BYTES_MAX} octets`)
    parts.push(part as Buffer)
  }
  const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(parts).toString("utf8") }
}
