import { z } from "zod"
import { listOf } from "../../../base/index.ts"

export const certificateOptions = z.strictObject({
  user: z
    .enum(["cn", "email", "dns", "uri", "subject"])
    .default("cn")
    .describe("Who it is: the subject's common name, the first e-mail address, DNS name or URI among the alternative names, or the whole subject."),
  issuers: listOf(z.string().min(1))
    .optional()
    .describe(
      'Issuers that are believed: a whole name such as "CN=People CA,O=Example", or a common name alone. Default: each of the listener\'s authorities.',
    ),
  groups: z
    .union([z.enum(["none", "ou"]), z.record(z.string().min(1), listOf(z.string().min(1)))])
    .default("none")
    .describe("ou: the organisational units of the subject. A map: groups by unit, such as `{ Engineering: [dev, vpn] }`."),
})

export type CertificateOptions = z.infer<typeof certificateOptions>
