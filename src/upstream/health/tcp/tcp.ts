import { z } from "zod"
import { defineHealthCheck } from "../../../plugin/index.ts"
import { runProbe } from "../run-probe.ts"

const options = z.strictObject({ port: z.int().min(1).max(65_535).optional().describe("Port to probe. Default: the peer's own.") }).prefault({})

export default defineHealthCheck({
  name: "tcp",
  summary: "A connection, with its TLS handshake when the cluster has TLS, is success.",
  options,
  probe: (target, settings, timeoutMs) =>
    runProbe(target, settings.port ?? target.port, timeoutMs, { opened: () => "", received: () => null, ended: () => null }),
})
