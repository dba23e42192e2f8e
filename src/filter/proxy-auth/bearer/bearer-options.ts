import { z } from "zod"
import { count, duration, field, listOf, pathSchema } from "../../../base/index.ts"
import { claimRulesSchema } from "../../claims.ts"
import { issuerKeys, problemOfKeys } from "../../jwt/jwt-options.ts"

const jwtSchema = z
  .strictObject({
    issuer: listOf(z.string().min(1)).describe('Who tokens must be from (`iss`); "*": anybody who has the key.'),
    audience: listOf(z.string().min(1)).describe('Whom tokens must be for (`aud`), one of these; "*": anybody.'),
    ...issuerKeys,
    clockSkew: field(duration({ max: 600_000 }), "30s", "How far the clocks of issuer and proxy may be apart."),
    claims: claimRulesSchema,
    user: z.string().min(1).default("sub").describe("The claim that says who it is; `a.b` looks inside."),
    groups: z.string().min(1).default("groups").describe("The claim with the groups: a list, or one text."),
    expiry: z.enum(["required", "optional"]).default("required").describe("Whether a token without an end (exp) is taken."),
  })
  .superRefine((settings, context) => {
    const problem = problemOfKeys(settings)
    if (problem !== null) context.addIssue({ code: "custom", path: problem[0] === "" ? [] : [problem[0]], message: problem[1] })
  })

export const bearerOptions = z
  .strictObject({
    tokens: pathSchema.optional().describe("File with `name:{SHA256}hex` or `name:token` lines, read again when it changes."),
    jwt: jwtSchema.optional().describe("JSON Web Tokens of an issuer (RFC 7519)."),
    tokenBytesMax: count(64, 65_536).default(8192).describe("Longer tokens are wrong, unread."),
    rememberedMax: count(1, 1_000_000).default(10_000).describe("Good tokens that are remembered in each worker."),
  })
  .refine(said => said.tokens !== undefined || said.jwt !== undefined, "expected tokens, jwt or both")

export type BearerOptions = z.infer<typeof bearerOptions>
export type TokenOptions = z.infer<typeof jwtSchema>
