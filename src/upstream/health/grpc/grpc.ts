import type { ClientHttp2Session } from "node:http2"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { z } from "zod"
import { formatDuration } from "../../../base/index.ts"
import { defineHealthCheck, type HealthTarget } from "../../../plugin/index.ts"
import { defaultHost } from "../default-host.ts"
import { openSocket } from "../probe-socket.ts"
import { callHealth } from "./health-call.ts"
import { healthRequest } from "./health-messages.ts"

const options = z
  .strictObject({
    service: z.string().max(1024).default("").describe("Name of the service that is asked for. Default: the server as a whole."),
    host: z
      .string()
      .max(262)
      .regex(/^[!-~]+$/, "expected a host, with a port if there is one")
      .optional()
      .describe("Authority. Default: that of the peer's address."),
    port: z.int().min(1).max(65_535).optional().describe("Port to probe. Default: the peer's own."),
  })
  .prefault({})

type GrpcOptions = z.output<typeof options>

export default defineHealthCheck({
  name: "grpc",
  summary: "A call of grpc.health.v1.Health/Check; SERVING is success.",
  options,
  probe: probeGrpc,
})

function probeGrpc(target: HealthTarget, settings: GrpcOptions, timeoutMs: number): Promise<string | null> {
  const port = settings.port ?? target.port
  return new Promise(resolve => {
    let socket: Socket | null = null
    let session: ClientHttp2Session | null = null
    let settled = false
    const settle = (outcome: string) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      session?.destroy()
      socket?.destroy()
      resolve(outcome === "" ? null : outcome)
    }
    const timer = setTimeout(() => settle(`no whole answer within ${formatDuration(timeoutMs)}`), timeoutMs)
    const open = (opened: Socket) => {
      if (settled) return
      if (target.tls !== null && (opened as TLSSocket).alpnProtocol !== "h2") {
        settle("the peer does not speak HTTP/2")
        return
      }
      session = callHealth(opened, callOf(target, settings, timeoutMs, port), settle)
    }
    try {
      socket = openSocket(target, port, "h2", { open, end: () => settle("the peer closed the connection before it answered"), error: settle })
    } catch (error) {
      // A certificate or key that does not parse is told by an exception.
      settle(error instanceof Error ? error.message : String(error))
    }
  })
}

function callOf(target: HealthTarget, settings: GrpcOptions, timeoutMs: number, port: number) {
  return {
    scheme: target.tls === null ? ("http" as const) : ("https" as const),
    authority: settings.host ?? defaultHost(target, port),
    message: healthRequest(settings.service),
    timeoutMs: Math.min(Math.ceil(timeoutMs), 99_999_999),
  }
}
