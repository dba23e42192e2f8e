import { z } from "zod"
import { defineHealthCheck, type HealthTarget } from "../../../plugin/index.ts"
import { defaultHost } from "../default-host.ts"
import { runProbe } from "../run-probe.ts"
import { AnswerReader } from "./answer-reader.ts"
import { formatStatusSet, hasStatus, type StatusSet, statusSet } from "./status-set.ts"

// Visible ASCII only: what stands here is written into the request as it is.
const visible = /^[!-~]+$/

const options = z
  .strictObject({
    path: z
      .string()
      .max(8_192)
      .regex(/^\/[!-~]*$/, "expected a path that begins with / and has no spaces or control characters")
      .default("/")
      .describe("Target of the request, with the query if there is one."),
    status: statusSet.prefault(["200-399"]).describe("Statuses that are success: numbers and ranges."),
    host: z
      .string()
      .max(262)
      .regex(visible, "expected a host, with a port if there is one")
      .optional()
      .describe("Host. Default: that of the peer's address."),
    port: z.int().min(1).max(65_535).optional().describe("Port to probe. Default: the peer's own."),
  })
  .prefault({})

type HttpOptions = z.output<typeof options>

export default defineHealthCheck({
  name: "http",
  summary: "GET of a path; a status of the set is success.",
  options,
  probe: probeHttp,
})

function probeHttp(target: HealthTarget, settings: HttpOptions, timeoutMs: number): Promise<string | null> {
  const port = settings.port ?? target.port
  const answer = new AnswerReader()
  return runProbe(target, port, timeoutMs, {
    opened(send) {
      send(requestText(target, settings, port))
      return null
    },
    received(chunk) {
      answer.push(chunk)
      return outcome(answer, settings.status)
    },
    ended() {
      answer.end()
      return outcome(answer, settings.status)
    },
  })
}

/** A wrong status needs no body to be wrong. */
function outcome(answer: AnswerReader, wanted: StatusSet): string | null {
  if (answer.fault !== "") return answer.fault
  if (answer.status !== 0 && !hasStatus(wanted, answer.status)) return `status ${answer.status}, expected ${formatStatusSet(wanted)}`
  return answer.done ? "" : null
}

function requestText(target: HealthTarget, settings: HttpOptions, port: number): string {
  const host = settings.host ?? defaultHost(target, port)
  return `GET ${settings.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bothways-health\r\nAccept: */*\r\nConnection: close\r\n\r\n`
}
