import { z } from "zod"
import { duration, size } from "../../base/index.ts"
import { certificateName } from "../certificate-name.ts"
import { shown } from "../issue-sentence.ts"
import { bindSchema, cidrSchema } from "./address.ts"
import { dnsSchema } from "./dns.ts"
import { forwardSchema } from "./forward.ts"
import { listenerHttp2Schema } from "./http2.ts"
import { count, field, listOf, maybe, off, pathSchema } from "../../base/index.ts"

/** TLS versions; YAML reads a bare 1.2 as a number. */
export const tlsVersionSchema = z
  .union([z.enum(["1.2", "1.3"]), z.literal(1.2), z.literal(1.3)], { error: issue => `expected 1.2 or 1.3, got ${shown(issue.input)}` })
  .transform((version): "1.2" | "1.3" => String(version) as "1.2" | "1.3")
  .meta({ title: "1.2 or 1.3" })

const certificateSchema = z.strictObject({
  cert: pathSchema.describe("PEM file with the certificate and the chain behind it."),
  key: pathSchema.describe("PEM file with the private key."),
})

const certificateNameSchema = z.string().transform((text, context): string => {
  const name = certificateName(text)
  if (name !== null) return name
  context.addIssue({
    code: "custom",
    message: `${JSON.stringify(text)} is no name of a certificate; expected "a.example", "*.a.example" or an address`,
  })
  return z.NEVER
})

const clientCertificatesSchema = z.strictObject({
  mode: z.enum(["optional", "required"]).describe("Whether a client without a certificate is let in."),
  ca: pathSchema.describe("PEM file with the authorities that sign the clients' certificates."),
})

const automaticLongSchema = z.strictObject({
  names: maybe(
    z.array(certificateNameSchema).min(1),
    "Names that certificates are made for, wildcards and addresses among them. Default: the hosts of the routes that this listener serves.",
  ),
})

// `true` means the long form with nothing in it.
const automaticSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof automaticLongSchema> => automaticLongSchema.parse({})),
  automaticLongSchema,
])

const listenerTlsLongSchema = z.strictObject({
  certificates: z
    .array(certificateSchema)
    .min(1)
    .optional()
    .transform((list): z.output<typeof certificateSchema>[] => list ?? [])
    .describe("One entry for each name set; the server name that the client asks for (SNI) picks one, the first is the default."),
  auto: field(
    automaticSchema,
    false,
    "Makes and renews certificates, see `acme`. true = for the hosts of the routes. Those of `certificates` come first.",
  ),
  minVersion: field(tlsVersionSchema, "1.2", "Lowest TLS version."),
  ciphers: maybe(z.string().min(1), "Cipher list in OpenSSL's form, for TLS 1.2. Default: the runtime's."),
  alpn: field(z.array(z.enum(["h2", "http/1.1"])).min(1), ["h2", "http/1.1"], "Protocols offered by ALPN (RFC 7301), best first."),
  clientCertificates: field(z.union([off, clientCertificatesSchema]), "off", "Asks clients for a certificate."),
})

const listenerTlsSchema = z.union([
  z.literal("auto").transform((): z.output<typeof listenerTlsLongSchema> => listenerTlsLongSchema.parse({ auto: true })),
  listenerTlsLongSchema,
])

const http3LongSchema = z.strictObject({
  earlyData: field(
    z.boolean(),
    false,
    "Takes requests that come in 0-RTT data and change nothing (GET, HEAD, OPTIONS), marked with Early-Data; others get 425 (RFC 8470).",
  ),
  advertise: field(
    z.union([
      off,
      z.strictObject({
        port: count(1, 65_535).optional().describe("Port that clients see. Default: the one that is bound."),
        maxAge: field(duration({ min: 1000 }), "24h", "How long clients may remember it."),
      }),
    ]),
    {},
    "Alt-Svc on the answers of HTTP/1.1 and HTTP/2 (RFC 7838).",
  ),
})

const http3Schema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof http3LongSchema> => http3LongSchema.parse({})),
  http3LongSchema,
])

const listenerLimitsSchema = z.strictObject({
  connectionsMax: field(count(1, 1_000_000), 65_536, "Open client connections, over all workers."),
  connectionsPerClientMax: field(count(0, 1_000_000), 0, "Open connections of one client address; 0 = no limit."),
  headBytesMax: field(size({ min: 1024, max: 1024 ** 2 }), "64KB", "Request line and header fields together."),
  fieldsMax: field(count(1, 10_000), 256, "Header fields of a request."),
  targetBytesMax: field(size({ min: 64, max: 1024 ** 2 }), "16KB", "Request target."),
  bodyBytesMax: field(size(), 0, "Request body; 0 = no limit."),
  requestsMax: field(count(0, 1_000_000_000), 0, "Requests on one connection; 0 = no limit."),
  streamsMax: field(count(1, 10_000), 128, "HTTP/2 and HTTP/3: requests of one connection at the same time."),
  streamResetsMax: field(
    count(1, 1_000_000),
    200,
    "HTTP/2: requests of one connection that end before their answer does, in ten seconds; more close it.",
  ),
  controlFramesMax: field(
    count(10, 1_000_000),
    2000,
    "HTTP/2: frames of one connection that bring nothing (SETTINGS, PING, empty DATA …), in ten seconds; more close it.",
  ),
})

const listenerTimeoutsSchema = z.strictObject({
  handshake: field(duration({ min: 1 }), "10s", "TLS handshake and PROXY protocol header."),
  head: field(duration({ min: 1 }), "15s", "A request's head, from its first octet (or from the connection's start) to its last."),
  idle: field(duration({ min: 1 }), "75s", "Kept-alive connection without a request."),
  body: field(duration({ min: 1 }), "30s", "Silence between two parts of a request body."),
  bodyRateMin: field(size(), 0, "Slowest request body in octets a second, on average; 0 = off."),
  write: field(duration({ min: 1 }), "60s", "The client takes nothing of its answer."),
  writeRateMin: field(
    size(),
    0,
    "HTTP/1: slowest taking of an answer in octets a second, on average over the time that the client is waited for and after ten seconds of it; 0 = off. Against clients that take a little just before `write` runs out.",
  ),
  tunnelIdle: field(duration({ min: 1 }), "1h", "Silence in both directions of a tunnel."),
})

const tcpLongSchema = z.strictObject({
  peekTls: z
    .boolean()
    .optional()
    .transform(value => value ?? null)
    .describe(
      "Reads the TLS name in what the client says first, which stands for the host in rules. Default: where a route of the listener asks for a host.",
    ),
})

const tcpSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof tcpLongSchema> => tcpLongSchema.parse({})),
  tcpLongSchema,
])

const udpLongSchema = z.strictObject({
  idle: field(duration({ min: 100 }), "30s", "Silence in both directions after which a client is forgotten."),
})

const udpSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof udpLongSchema> => udpLongSchema.parse({})),
  udpLongSchema,
])

export const listenerSchema = z.strictObject({
  bind: listOf(bindSchema).describe('Address or list of addresses: "host:port", "[::1]:80", "unix:/path"; ":8080" is every address, IPv4 and IPv6.'),
  tls: maybe(listenerTlsSchema, "Ends TLS here. auto = with certificates that are made and renewed, see `acme`."),
  http2: field(
    listenerHttp2Schema,
    true,
    "Speaks HTTP/2: over TLS where ALPN agrees on it, on plain connections that begin with its preface. true = all defaults.",
  ),
  http3: field(http3Schema, false, "Speaks HTTP/3 on the same port numbers over UDP, and says so in Alt-Svc. Needs tls. true = all defaults."),
  tcp: field(
    tcpSchema,
    false,
    "Hands on connections as they are, to clusters whose protocol is tcp; with tls it ends TLS first. Rules: listener, client, and host for the TLS name. true = all defaults.",
  ),
  udp: field(udpSchema, false, "Hands on datagrams, to clusters whose protocol is udp. true = all defaults."),
  dns: field(dnsSchema, false, "Answers DNS queries over UDP and TCP: stand-in, resolve or the long form. It speaks nothing else."),
  forward: field(forwardSchema, false, "Takes forward requests: absolute-form, CONNECT and CONNECT-UDP. true = all defaults."),
  proxyProtocol: maybe(
    z.strictObject({ from: listOf(cidrSchema).describe("Senders that must put the header in front of the connection.") }),
    "Expects the PROXY protocol, version 1 or 2, from these addresses.",
  ),
  trustedHops: field(z.array(cidrSchema), [], "Proxies in front of us whose X-Forwarded-For and Forwarded are believed."),
  via: field(z.boolean(), true, "Adds Via to requests, and to what origins answer (RFC 9110 section 7.6.3); without it a loop is not noticed."),
  limits: field(listenerLimitsSchema, {}, "Limits of this listener."),
  timeouts: field(listenerTimeoutsSchema, {}, "Timeouts towards the client."),
})
