import { z } from "zod"
import { count, duration, field, formatHostPort, hostNameFault, ipFamily, listOf, maybe, nameSchema, pathSchema } from "../../base/index.ts"
import { isHost, nameServerSchema } from "./address.ts"

/** A name server: `address` is "address:port" of one that speaks UDP and TCP, or the URL of one that is spoken to over TLS or HTTPS at `addresses`. */
export interface ResolverServer {
  readonly address: string
  /** Address literals to dial; empty = it is a plain server. */
  readonly addresses: readonly string[]
  /** PEM file of the authorities that are believed, null = the system's. */
  readonly ca: string | null
}

const secureUrl = z
  .string()
  .refine(
    text => /^(?:tls|https):\/\//i.test(text) && URL.canParse(text) && isHost(hostOf(text)),
    'expected a URL such as "tls://dns.example" or "https://dns.example/dns-query"',
  )

const secureSchema = z
  .strictObject({
    url: secureUrl.describe('"tls://dns.example" (DNS over TLS, port 853) or "https://dns.example/dns-query" (DNS over HTTPS).'),
    addresses: listOf(z.string().refine(text => ipFamily(text) !== 0, "expected an address"))
      .optional()
      .transform((list): string[] => list ?? [])
      .describe("Where it is reached: a name server cannot be asked for its own address. Default: the address in the URL."),
    ca: maybe(pathSchema, "PEM file with the authorities that are believed. Default: those of the system."),
  })
  .transform(({ url, addresses, ca }, context): ResolverServer => {
    const host = hostOf(url)
    const dialled = addresses.length > 0 ? addresses : [host]
    if (dialled.every(address => ipFamily(address) !== 0)) return { address: url, addresses: dialled, ca }
    context.addIssue({ code: "custom", path: ["url"], message: `${JSON.stringify(host)} is a name; say under \`addresses\` where it is reached` })
    return z.NEVER
  })

const serverSchema = z.union([
  nameServerSchema.transform((server, context): ResolverServer => {
    if (typeof server !== "string") return { address: formatHostPort(server.host, server.port), addresses: [], ca: null }
    const read = secureSchema.safeParse({ url: server })
    if (read.success) return read.data
    context.addIssue({ code: "custom", message: read.error.issues[0]!.message })
    return z.NEVER
  }),
  secureSchema,
])

const serversSchema = listOf(serverSchema).refine(list => list.length <= 8, "expected at most 8 name servers")

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : ""
}

export const resolverSchema = z.strictObject({
  servers: maybe(
    serversSchema,
    'Name servers, at most 8: "address:port", "tls://address", "https://address/dns-query", or a map for those that are known by name. Default: those of /etc/resolv.conf; /etc/hosts is read before.',
  ),
  domains: field(
    z.record(
      z.string().refine(domain => hostNameFault(domain) === null, "expected a domain such as corp.example"),
      serversSchema,
    ),
    {},
    "Servers that are asked for a domain and all names below it, in place of the others.",
  ),
  block: field(listOf(nameSchema).or(z.array(z.never())), [], "Lists of names that are looked up for nobody, see `lists`."),
  timeout: field(duration({ min: 10 }), "2s", "One attempt."),
  attempts: field(count(1, 10), 2, "Attempts for each server."),
  negativeTtl: field(duration(), "1s", "How long a failed look-up is remembered."),
  ttlMin: field(duration(), "0s", "Lower bound of a record's lifetime."),
  ttlMax: field(duration({ min: 1 }), "1h", "Upper bound of a record's lifetime."),
  staleFor: field(duration(), "10m", "How long the last good addresses are used while the name servers fail."),
})
