import { z } from "zod"
import { count, duration, field, listOf, pathSchema } from "../../base/index.ts"
import type { OptionProblem } from "../../plugin/index.ts"
import { realmOption } from "../basic-login.ts"
import { claimFieldsSchema, claimRulesSchema } from "../claims.ts"
import { fileProblems } from "../file-problems.ts"
import { keySetSchema, parseSecret } from "../key-options.ts"
import { parseKeySet } from "../key-source.ts"
import { asymmetric, symmetric } from "../token-verifier.ts"
import { tokenSourceSchema } from "../token-source.ts"

const scopeSchema = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "expected a scope: printable ASCII without spaces, quotes and backslashes")

/** What tokens are checked with. */
export const issuerKeys = {
  jwks: keySetSchema.optional().describe("Public keys of the issuer."),
  secretFile: pathSchema.optional().describe("A secret that issuer and proxy share, for HS256; at least 32 octets."),
  algorithms: z
    .array(z.enum([...asymmetric, ...symmetric]))
    .min(1)
    .optional()
    .describe("Signatures that are believed. Default: all with public keys; HS256 with secretFile."),
}

export const jwtOptions = z
  .strictObject({
    issuer: listOf(z.string().min(1)).describe('Who tokens must be from (`iss`); "*": anybody who has the key.'),
    audience: listOf(z.string().min(1)).describe('Whom tokens must be for (`aud`), one of these; "*": anybody, also other services of this issuer.'),
    ...issuerKeys,
    from: z
      .array(tokenSourceSchema)
      .min(1)
      .default(["authorization"])
      .describe(
        'Where the token stands, the first that is there counts: "authorization" (Bearer), "cookie:name", "parameter:name", "field:x-token".',
      ),
    keepToken: z.boolean().default(true).describe("Passes the token on to the peer. `false`: it stays here."),
    clockSkew: field(duration({ max: 600_000 }), "30s", "How far the clocks of issuer and proxy may be apart."),
    required: z.array(z.string().min(1)).default([]).describe("Claims that must be there, beside exp."),
    expiry: z.enum(["required", "optional"]).default("required").describe("Whether a token without an end (exp) is taken."),
    claims: claimRulesSchema,
    scopes: z.array(scopeSchema).default([]).describe("Scopes that the token must have, all of them; without: 403."),
    set: claimFieldsSchema,
    user: z.string().min(1).default("sub").describe("The claim that says who it is."),
    optional: z.boolean().default(false).describe("Requests without a token go on without a user. A token that is there has to be good."),
    realm: realmOption.default("api"),
    tokenBytesMax: count(64, 65_536).default(8192).describe("Longer tokens are refused unread."),
    rememberedMax: count(1, 1_000_000)
      .default(10_000)
      .describe("Good tokens that are remembered in each worker, so that their signatures are checked once."),
  })
  .superRefine((settings, context) => {
    const problem = problemOfKeys(settings)
    if (problem !== null) context.addIssue({ code: "custom", path: problem[0] === "" ? [] : [problem[0]], message: problem[1] })
  })

export type JwtOptions = z.infer<typeof jwtOptions>

/** A public key that is taken for a secret would let anybody make tokens: each kind of key has its algorithms (RFC 8725 section 3.1). */
export function problemOfKeys({
  jwks,
  secretFile,
  algorithms,
}: {
  jwks?: unknown
  secretFile?: string | undefined
  algorithms?: string[] | undefined
}): [string, string] | null {
  if ((jwks === undefined) === (secretFile === undefined)) return ["", "expected jwks or secretFile"]
  const fitting: readonly string[] = jwks === undefined ? symmetric : asymmetric
  const wrong = algorithms?.find(one => !fitting.includes(one))
  if (wrong === undefined) return null
  return [
    "algorithms",
    jwks === undefined ? `${wrong} needs public keys (jwks), not a secret` : `${wrong} needs a secret (secretFile), not public keys`,
  ]
}

export function jwtProblems({ jwks, secretFile }: JwtOptions, resolve: (path: string) => string): OptionProblem[] {
  if (secretFile !== undefined) return fileProblems(["secretFile"], resolve(secretFile), parseSecret)
  if (jwks?.file !== undefined) return fileProblems(["jwks", "file"], resolve(jwks.file), parseKeySet)
  return []
}

export function jwtClusters({ jwks }: JwtOptions): { at: string[]; name: string }[] {
  return jwks?.cluster === undefined ? [] : [{ at: ["jwks", "cluster"], name: jwks.cluster }]
}
