import { z } from "zod"
import { duration, field, nameSchema, pathSchema } from "../../base/index.ts"
import type { OptionProblem } from "../../plugin/index.ts"
import { claimFieldsSchema, claimRulesSchema } from "../claims.ts"
import { fileProblems } from "../file-problems.ts"
import { keyTimes, urlSchema } from "../key-options.ts"
import { parseSecrets } from "./sealer.ts"

const pathOption = z.string().regex(/^\/[A-Za-z0-9._~/-]+$/, "expected a path of letters, digits and . _ ~ - /, which begins with /")

export const oidcOptions = z
  .strictObject({
    issuer: urlSchema.describe("The provider, as it calls itself: what stands before /.well-known/openid-configuration."),
    cluster: nameSchema.optional().describe("Goes through this cluster to the provider, instead of straight to the hosts that it names."),
    clientId: z.string().min(1).max(256).describe("What the provider calls this site."),
    clientSecretFile: pathSchema.optional().describe("The client's secret. Default: a public client, with PKCE alone."),
    sessionSecretFile: pathSchema.describe(
      "Secrets of at least 32 characters, one a line: the first encrypts session cookies, all of them are believed.",
    ),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "expected a scope"))
      .default(["openid", "profile", "email"])
      .describe("What is asked for; openid is one of them."),
    parameters: z.record(z.string(), z.string()).default({}).describe("More parameters of the log-in, such as `{ prompt: select_account }`."),
    callbackPath: field(pathOption, "/oauth2/callback", "Where the provider sends the browser back to."),
    logoutPath: field(pathOption, "/oauth2/logout", "Ends the session, here and at the provider."),
    afterLogout: field(pathOption.or(z.literal("/")), "/", "Where the browser is sent after that."),
    publicUrl: urlSchema.optional().describe("How browsers reach the site. Default: the request's host, https unless the cookie says otherwise."),
    userinfo: z.boolean().default(false).describe("Asks the provider's userinfo endpoint for claims that the ID token does not have."),
    claims: claimRulesSchema,
    emailDomains: z
      .array(z.string().toLowerCase().min(1))
      .min(1)
      .optional()
      .describe("Domains of verified e-mail addresses that get in. Default: all."),
    set: claimFieldsSchema,
    user: z.string().min(1).default("sub").describe("The claim that says who it is."),
    passAccessToken: z.boolean().default(false).describe("Sends the access token to the peer: Authorization: Bearer."),
    session: field(duration({ min: 60_000, max: 30 * 86_400_000 }), "8h", "After this time the user logs in again."),
    cookie: field(
      z.strictObject({
        name: z
          .string()
          .regex(/^[A-Za-z0-9_-]{1,40}$/, "expected letters, digits, - and _")
          .default("bothways")
          .describe("Name of the cookie, behind __Host- where it is secure."),
        secure: z.boolean().default(true).describe("Cookies go by HTTPS alone. `false` is for trials without TLS."),
      }),
      {},
      "The session's cookie.",
    ),
    provider: field(z.strictObject(keyTimes), {}, "How often the provider's document and keys are asked for."),
  })
  .refine(({ callbackPath, logoutPath }) => callbackPath !== logoutPath, {
    path: ["logoutPath"],
    message: "callbackPath and logoutPath have to differ",
  })
  .refine(({ scopes }) => scopes.includes("openid"), { path: ["scopes"], message: "expected openid among the scopes" })

export type OidcOptions = z.infer<typeof oidcOptions>

/** The secret of a file, without the line end. */
export function parseClientSecret(content: string, path: string): string {
  const secret = content.trim()
  if (secret === "") throw new Error(`${path}: expected a secret`)
  return secret
}

export function oidcProblems({ clientSecretFile, sessionSecretFile }: OidcOptions, resolve: (path: string) => string): OptionProblem[] {
  return [
    ...(clientSecretFile === undefined ? [] : fileProblems(["clientSecretFile"], resolve(clientSecretFile), parseClientSecret)),
    ...fileProblems(["sessionSecretFile"], resolve(sessionSecretFile), parseSecrets),
  ]
}
