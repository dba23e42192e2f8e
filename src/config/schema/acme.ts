import { isIP } from "node:net"
import { z } from "zod"
import { count, duration, field, listOf, maybe, pathSchema, ratio } from "../../base/index.ts"
import { choice } from "./choice.ts"
import { isLoopback } from "./address.ts"

/** Directories of public authorities (RFC 8555 section 7.1.1) that are known by a name. */
const directories: Readonly<Record<string, string>> = {
  letsencrypt: "https://acme-v02.api.letsencrypt.org/directory",
  "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
  zerossl: "https://acme.zerossl.com/v2/DV90",
  google: "https://dv.acme-v02.api.pki.goog/directory",
}

export interface IssuerConfig {
  /** As messages and the status name it: `letsencrypt`, `local`, or the directory's host. */
  readonly name: string
  /** The directory; "" = the local authority. */
  readonly url: string
  /** PEM file with those who sign the issuer's own certificate; null = the runtime's. */
  readonly ca: string | null
  readonly eab: { readonly kid: string; readonly hmacKey: string } | null
  readonly profile: string | null
  /** Known by name: it issues for public names only. */
  readonly isPublic: boolean
}

function readDirectory(text: string): { name: string; url: string; isPublic: boolean } | null {
  const known = directories[text]
  if (known !== undefined) return { name: text, url: known, isPublic: true }
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopbackHost(url.hostname)))) return null
  const named = Object.entries(directories).find(([, directory]) => directory === text)
  return { name: named?.[0] ?? url.host, url: text, isPublic: named !== undefined }
}

function isLoopbackHost(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, "")
  return plain === "localhost" || (isIP(plain) !== 0 && isLoopback({ host: plain, port: 0 }))
}

const issuerWords = [...Object.keys(directories), "local"]
const issuerExpected = `expected ${issuerWords.join(", ")}, or the https address of an ACME directory`

const directorySchema = z.string({ error: issuerExpected }).transform((text, context) => {
  const directory = readDirectory(text)
  if (directory !== null) return directory
  context.addIssue({ code: "custom", message: issuerExpected })
  return z.NEVER
})

const eabSchema = z.strictObject({
  kid: z.string().min(1).describe("Key identifier that the issuer gave."),
  hmacKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]+={0,2}$/, "expected the key in base64url, as the issuer gives it")
    .describe("Secret key that the issuer gave, in base64url."),
})

const issuerLongSchema = z
  .strictObject({
    url: directorySchema.describe("Address of the ACME directory, or one of the known names."),
    ca: maybe(pathSchema, "PEM file with the authorities that the directory's own certificate is checked against. Default: the runtime's."),
    eab: maybe(eabSchema, "External account binding (RFC 8555 section 7.3.4), where the issuer wants one."),
    profile: maybe(z.string().min(1), "Certificate profile that the issuer offers, such as shortlived."),
  })
  .transform(({ url, ca, eab, profile }): IssuerConfig => ({ ...url, ca, eab, profile }))

const local: IssuerConfig = { name: "local", url: "", ca: null, eab: null, profile: null, isPublic: false }

const issuerWordSchema = z.string().transform((text, context): IssuerConfig => {
  if (text === "local") return local
  const directory = readDirectory(text)
  if (directory !== null) return { ...directory, ca: null, eab: null, profile: null }
  context.addIssue({ code: "custom", message: issuerExpected })
  return z.NEVER
})

const issuerSchema = z.union([issuerWordSchema, issuerLongSchema])

const hookSchema = z.strictObject({
  command: listOf(z.string().min(1)).describe(
    "Program and its first arguments; `present` or `cleanup`, the record's name and its value are added, and stand in ACME_ACTION, ACME_NAME and ACME_VALUE too.",
  ),
  timeout: field(duration({ min: 100 }), "2m", "How long it may run."),
  wait: field(duration(), "10s", "Pause behind `present`, until name servers have the record."),
})

const challengeSchema = choice(
  "challenge",
  {
    "tls-alpn-01": z.strictObject({}).describe("Proof on the TLS listener itself; the issuer connects to port 443 (RFC 8737)."),
    "http-01": z.strictObject({}).describe("Proof on a plain listener; the issuer asks on port 80 (RFC 8555 section 8.3)."),
    "dns-01": hookSchema.describe("Proof by a DNS record that a command sets; the only one for wildcards (RFC 8555 section 8.4)."),
  },
  true,
)

const renewalSchema = z.strictObject({
  ari: field(z.boolean(), true, "Asks the issuer when to renew, where it tells (RFC 9773)."),
  at: field(ratio({ min: 0.1, max: 0.95 }), "67%", "Share of a certificate's life after which it is renewed where the issuer does not tell."),
  retryMin: field(duration({ min: 100 }), "1m", "Pause behind the first failure; it doubles with each further one."),
  retryMax: field(duration({ min: 1000 }), "6h", "Longest pause."),
})

const onDemandSchema = z.strictObject({
  ask: z
    .url({ protocol: /^https?$/, error: "expected an http or https address" })
    .describe("Asked with `?domain=NAME` before a certificate is made; 200 allows it, everything else does not."),
  timeout: field(duration({ min: 10 }), "5s", "How long the answer may take."),
  hold: field(duration(), "8s", "How long a handshake waits for its certificate; then the temporary one is shown."),
  namesMax: field(count(1, 100_000), 1000, "Names that certificates are kept for; further ones get none."),
  issuesMax: field(count(1, 10_000), 10, "Certificates that are begun within `per`."),
  per: field(duration({ min: 1000 }), "1m", "Time that issuesMax counts in."),
  waitsMax: field(count(1, 100_000), 1000, "Handshakes of a worker that wait at the same time."),
})

export const acmeSchema = z.strictObject({
  email: maybe(z.email({ error: "expected an e-mail address" }), "Where issuers send word of trouble."),
  directory: field(pathSchema, "./certificates", "Directory for account keys, private keys and certificates."),
  issuers: field(
    z.array(issuerSchema).min(1).max(8),
    ["letsencrypt"],
    "Who issues; the next one is asked when one fails. `local` is an authority of our own. Whoever writes an issuer here agrees to its terms of service.",
  ),
  challenges: field(listOf(challengeSchema), ["tls-alpn-01", "http-01"], "How control of a name is proven; the next one is tried when one fails."),
  key: field(z.enum(["p256", "rsa2048"]), "p256", "Kind of the certificates' keys."),
  renewal: field(renewalSchema, {}, "When certificates are renewed, and how failures are repeated."),
  onDemand: maybe(onDemandSchema, "Certificates for names that nobody wrote down, made at their first handshake. Default: off."),
  ordersMax: field(count(1, 100), 4, "Certificates that are ordered at the same time."),
  namesMax: field(count(1, 10_000), 500, "Names of automatic certificates that a config may have."),
})
