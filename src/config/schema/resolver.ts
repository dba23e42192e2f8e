import { z } from "zod"
import { duration } from "../../base/index.ts"
import { endpointSchema } from "./address.ts"
import { count, field, maybe } from "../../base/index.ts"

export const resolverSchema = z.strictObject({
  servers: maybe(z.array(endpointSchema).min(1).max(8), "Name servers, host:port. Default: those of /etc/resolv.conf; /etc/hosts is read before."),
  timeout: field(duration({ min: 10 }), "2s", "One attempt."),
  attempts: field(count(1, 10), 2, "Attempts for each server."),
  negativeTtl: field(duration(), "1s", "How long a failed look-up is remembered."),
  ttlMin: field(duration(), "0s", "Lower bound of a record's lifetime."),
  ttlMax: field(duration({ min: 1 }), "1h", "Upper bound of a record's lifetime."),
  staleFor: field(duration(), "10m", "How long the last good addresses are used while the name servers fail."),
})
