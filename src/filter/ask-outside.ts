import { isMainThread } from "node:worker_threads"
import type { ClusterHandle } from "../plugin/index.ts"

/** A request to a service that filters depend on. */
export interface OutsideRequest {
  readonly method: "GET" | "POST"
  readonly url: URL
  readonly fields: Readonly<Record<string, string>>
  readonly body: string | null
  readonly timeoutMs: number
}

export interface OutsideAnswer {
  readonly status: number
  readonly body: string
}

/** Sends a request and gives the whole answer; rejects where none comes, or one that is too long. Redirections are answers. */
export type AskOutside = (request: OutsideRequest) => Promise<OutsideAnswer>

/** Octets of an answer: key sets and tokens are far smaller. */
const ANSWER_BYTES_MAX = 512 * 1024

/**
 * Asks the host that the URL names, with the authorities of the system. Only workers serve clients; whoever goes through filters in another thread
 * explains a config, and nothing is sent for that: the answer never comes.
 */
export function askByUrl(request: OutsideRequest): Promise<OutsideAnswer> {
  return isMainThread ? new Promise(() => {}) : fetchWhole(request)
}

async function fetchWhole({ method, url, fields, body, timeoutMs }: OutsideRequest): Promise<OutsideAnswer> {
  const response = await fetch(url, { method, headers: fields, body, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} octets`)
    chunks.push(chunk)
  }
  return { status: response.status, body: Buffer.concat(chunks).toString("utf8") }
}

/** Asks through a cluster, with its balancing, retries and TLS; the URL gives path and Host. */
export function askThrough(cluster: ClusterHandle): AskOutside {
  return ({ method, url, fields, body, timeoutMs }) => {
    const { promise, resolve, reject } = Promise.withResolvers<OutsideAnswer>()
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    const request = {
      method,
      path: url.pathname + url.search,
      authority: url.host,
      fields: lines.join(""),
      body: body === null ? null : Buffer.from(body),
      bodyBytesMax: ANSWER_BYTES_MAX,
      timeoutMs,
    }
    cluster.send(request, (answer, fault) => {
      if (answer === null) reject(new Error(fault?.code ?? "no answer"))
      else resolve({ status: answer.status, body: answer.body.toString("utf8") })
    })
    return promise
  }
}
