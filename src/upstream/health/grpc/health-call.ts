import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2"
import type { Socket } from "node:net"
import { healthStatus } from "./health-messages.ts"

/** A HealthCheckResponse has seven octets. */
const BODY_BYTES_MAX = 1024

const OK = "0"
const words: Readonly<Record<string, string>> = {
  "4": "deadline exceeded",
  "5": "the peer does not know the service",
  "12": "the peer has no health service",
  "14": "the peer is unavailable",
}

export interface HealthCall {
  readonly scheme: "http" | "https"
  readonly authority: string
  readonly message: Buffer
  readonly timeoutMs: number
}

/**
 * Calls grpc.health.v1.Health/Check over an open connection. `settle` may be called more than once, the first call counts: "" = it serves, else the
 * reason why not. The caller destroys session and socket.
 */
export function callHealth(socket: Socket, call: HealthCall, settle: (outcome: string) => void): ClientHttp2Session {
  const session = connect(`${call.scheme}://${call.authority}`, { createConnection: () => socket })
  session.on("error", error => settle(`the peer does not speak HTTP/2: ${error.message}`))
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    ":scheme": call.scheme,
    ":authority": call.authority,
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "bothways-health",
    "grpc-timeout": `${call.timeoutMs}m`,
  })
  let body = Buffer.alloc(0)
  let fields: IncomingHttpHeaders = {}
  stream.on("response", head => {
    const status = head[":status"]
    if (status === 200) fields = { ...fields, ...head }
    else settle(`status ${status}, expected 200`)
  })
  stream.on("trailers", trailers => {
    fields = { ...fields, ...trailers }
  })
  stream.on("data", (chunk: Buffer) => {
    if (body.length > BODY_BYTES_MAX) settle("the answer is over 1 KB")
    else body = Buffer.concat([body, chunk])
  })
  stream.on("error", error => settle(`the call failed: ${error.message}`))
  stream.on("close", () => settle(outcome(fields, body)))
  stream.end(call.message)
  return session
}

function outcome(fields: IncomingHttpHeaders, body: Buffer): string {
  const code = fields["grpc-status"]
  if (typeof code !== "string") return "the peer ended the call without a status"
  if (code !== OK) return `${words[code] ?? "the call failed"} (grpc-status ${code})`
  const status = healthStatus(body)
  return status === "SERVING" ? "" : (status ?? "the answer is no HealthCheckResponse")
}
