import { z } from "zod"
import { count, duration, field, pathSchema } from "../../../base/index.ts"
import { digestAlgorithms } from "./digest-response.ts"

export const digestOptions = z.strictObject({
  htdigest: pathSchema.describe("File with `user:realm:hash` lines: 32 digits are MD5, 64 SHA-256, {SHA-512-256} before them says so."),
  algorithms: z
    .array(z.enum(digestAlgorithms))
    .min(1)
    .default(["SHA-256"])
    .refine(list => new Set(list).size === list.length, "expected each algorithm once")
    .describe("What is offered, the strongest first whatever the order here. MD5 only if you ask for it."),
  nonceLife: field(duration({ min: 1000, max: 86_400_000 }), "5m", "Age from which a nonce is replaced, without a new question for the password."),
  noncesMax: count(100, 1_000_000).default(10_000).describe("Nonces whose uses are counted, over all workers."),
  userhash: z.boolean().default(false).describe("Clients may send a hash instead of the name (RFC 7616 section 3.4.4)."),
})

export type DigestOptions = z.infer<typeof digestOptions>
