import { z } from "zod"
import { count, duration, field, hostNameFault, listOf, maybe, nameSchema, pathSchema } from "../../base/index.ts"
import { type MatchConfig, matchSchema } from "./match.ts"

const verdicts = ["tunnel", "inspect", "refuse"] as const

const reasonSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "expected a word such as finance: small letters, digits and hyphens, at most 40")

const ruleSchema = z.strictObject({
  match: field(
    matchSchema,
    {} as never,
    "Conditions, all of which must hold, as routes have them; host is what CONNECT names, tlsName, alpn and ja4 are what the client says in TLS.",
  ),
  certificate: maybe(
    z.enum(["trusted", "untrusted"]),
    "What the site's own certificate must be like as well: good, or expired, for another name, of an unknown authority and the like. It is looked at when such a rule is reached, with a handshake of our own. Default: any.",
  ),
  do: z.enum(verdicts).describe("tunnel hands the octets on unread, inspect opens them, refuse closes the connection."),
  reason: maybe(reasonSchema, "The word in log and metrics that says why. Default: rule-1 for the first rule, and so on."),
})

/** A name and all below it; `*.` in front says the same. */
const siteSchema = z
  .string()
  .transform(text => text.toLowerCase().replace(/^\*?\./, ""))
  .superRefine((text, context) => {
    const fault = text.includes(":") ? null : hostNameFault(text)
    if (fault !== null) context.addIssue({ code: "custom", message: `not a name: ${fault}` })
  })
  .meta({ title: "name such as bank.example" })

const caSchema = z.strictObject({
  cert: pathSchema.describe("PEM file with the certificate of the authority."),
  key: pathSchema.describe("PEM file with its private key, for the owner's eyes only."),
})

const neverOpenLongSchema = z.strictObject({
  builtIn: field(z.boolean(), true, "The names that come with the program: banks and payment, health, government."),
  names: field(listOf(siteSchema).or(z.array(z.never())), [], "More names, each with all below it."),
  categories: field(listOf(nameSchema).or(z.array(z.never())), [], "Categories of `lists`."),
  except: field(listOf(siteSchema).or(z.array(z.never())), [], "Names, with all below them, that may be opened all the same."),
})

type NeverOpen = z.output<typeof neverOpenLongSchema>

const neverOpenSchema = z.union([
  z.literal(false).transform((): NeverOpen => neverOpenLongSchema.parse({ builtIn: false })),
  z.literal(true).transform((): NeverOpen => neverOpenLongSchema.parse({})),
  neverOpenLongSchema,
])

const pinnedLongSchema = z.strictObject({
  after: field(count(1, 100), 2, "So many handshakes that a client breaks off over our certificate make the site one that is not opened."),
  within: field(duration({ min: 1000 }), "10m", "They count when they come within this time."),
  for: field(duration({ min: 1000 }), "24h", "So long it stays so."),
  by: field(
    z.enum(["client", "host"]),
    "client",
    "Whose connections are let through: those of the client that broke off, or everybody's to that host.",
  ),
  max: field(count(1, 1_000_000), 10_000, "Sites, or pairs of client and site, that are remembered."),
})

type Pinned = z.output<typeof pinnedLongSchema>

const pinnedSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): Pinned => pinnedLongSchema.parse({})),
  pinnedLongSchema,
])

const upstreamSchema = z.strictObject({
  insecureHosts: field(
    listOf(siteSchema).or(z.array(z.never())),
    [],
    "Names, each with all below it, and addresses whose certificates are not checked. The user sees a good connection whatever is behind it.",
  ),
  wantsClient: field(
    z.enum(["tunnel", "refuse"]),
    "tunnel",
    "What happens with a site whose server breaks off because it wants a certificate of the client, or takes nothing that we offer: from then on its tunnels are not opened, or it stays an error.",
  ),
  ca: maybe(pathSchema, "PEM file with authorities that are believed beside those of the system."),
})

const inspectLongSchema = z.strictObject({
  ca: maybe(caSchema, "The authority that signs for every site; clients must trust it. Default: the one that `bothways ca create` has made."),
  rules: field(z.array(ruleSchema).max(10_000), [], "What to do with a connection; the first rule that matches decides."),
  default: field(z.enum(["inspect", "tunnel"]), "inspect", "What happens to connections that no rule is about."),
  neverOpen: field(neverOpenSchema, true, "Sites that are not opened, whatever the rules say. false = none."),
  pinned: field(
    pinnedSchema,
    true,
    "What happens when a client does not take our certificate for a site, because it knows the site's own. false = nothing.",
  ),
  upstream: field(
    upstreamSchema,
    {},
    "How the servers behind are believed. A certificate that is not good is shown to the user as an error, never hidden.",
  ),
  unknownProtocols: field(z.enum(["tunnel", "refuse"]), "tunnel", "What is no TLS, or TLS with something else than HTTP in it."),
  wait: field(
    duration({ min: 100, max: 60_000 }),
    "3s",
    "How long a client may take for its first message; then it is taken for one that waits for the server to begin.",
  ),
  handshake: field(duration({ min: 100 }), "10s", "Time for the TLS handshake with the client."),
  leavesMax: field(count(1, 100_000), 1000, "Certificates that each worker keeps at hand."),
})

/** One rule of `inspect`, parsed. */
export interface InspectRule {
  readonly match: MatchConfig
  readonly certificate: "trusted" | "untrusted" | null
  readonly do: (typeof verdicts)[number]
  readonly reason: string | null
}

export type InspectConfig = z.output<typeof inspectLongSchema>

/** Opening of TLS on a forward listener; null = off. */
export const forwardInspectSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): InspectConfig => inspectLongSchema.parse({})),
  inspectLongSchema,
])
