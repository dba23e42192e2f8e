import { z } from "zod"
import { count, duration, field, nameSchema } from "../../../base/index.ts"
import { fieldNameSchema } from "../../field-name.ts"

export const httpOptions = z.strictObject({
  cluster: nameSchema.describe("Who decides."),
  path: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, "expected a path that begins with /")
    .default("/")
    .describe("Where it is asked."),
  host: z
    .string()
    .regex(/^[^\s/@?#]+$/, "expected a host with or without a port")
    .optional()
    .describe("What Host says. Default: the cluster's name."),
  by: z
    .enum(["credentials", "address"])
    .default("credentials")
    .describe("credentials: user and password go along as Authorization: Basic. address: who gave none is known by X-Client-Address alone."),
  user: fieldNameSchema.default("x-user").describe("Field of a good answer with the user. Default: the name that the client gave."),
  groups: fieldNameSchema.default("x-groups").describe("Field of a good answer with the groups, commas between."),
  timeout: field(duration({ min: 1, max: 60_000 }), "5s", "Time for the answer; then the request gets 503."),
  remember: field(duration({ max: 86_400_000 }), "1m", "How long a good answer counts."),
  rememberWrong: field(duration({ max: 3_600_000 }), "10s", "How long a refusal counts."),
  rememberedMax: count(1, 1_000_000).default(10_000).describe("Answers that are remembered in each worker."),
  askedMax: count(1, 10_000).default(64).describe("Questions at a time in each worker; with more the request gets 503."),
})

export type HttpOptions = z.infer<typeof httpOptions>
