import { z } from "zod"
import { duration, FAULT, formatDuration } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, grpcReplyType, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { dropField, fieldText } from "../headers/edit-fields.ts"
import { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts"

/** The client gives up by itself; whoever waits longer than this behind its deadline waits for nobody. */
const GRACE_MS = 50

export default defineFilter({
  name: "grpc",
  summary: "Holds gRPC calls to their deadline (grpc-timeout).",
  options: z
    .strictObject({
      deadline: z.boolean().default(true).describe("Ends a call shortly behind the deadline that its client set."),
      deadlineMax: duration({ min: 1 })
        .optional()
        .describe("Longest deadline, also of calls that have none; the peer is told the shorter one. Default: none."),
    })
    .prefault({}),
  build({ deadline, deadlineMax }, deps) {
    const request = (x: Exchange): Verdict => {
      if (grpcReplyType(x) === "") return NEXT
      const asked = parseGrpcTimeout(fieldText(x.request, "grpc-timeout"))
      const capped = deadlineMax !== undefined && (asked < 0 || asked > deadlineMax)
      const ms = capped ? deadlineMax : asked
      if (capped) {
        dropField(x.request, "grpc-timeout")
        x.request.append("grpc-timeout", formatGrpcTimeout(ms))
      }
      if (ms < 0 || !(deadline || capped)) return NEXT
      if (ms === 0) {
        x.fault = FAULT.requestTimeout
        return FAULT_VERDICT
      }
      deps.limit(x, ms + GRACE_MS)
      return NEXT
    }
    return {
      ...(deadline || deadlineMax !== undefined ? { request } : {}),
      describe: () => `deadline ${deadline ? "of the client" : "off"}${deadlineMax === undefined ? "" : `, at most ${formatDuration(deadlineMax)}`}`,
    }
  },
})
