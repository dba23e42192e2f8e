import { z } from "zod"
import { duration, ratio, size } from "../../base/index.ts"
import { slowStartSchema, type StickyConfig, stickyShape } from "../../upstream/index.ts"
import { balancers } from "../features.gen.ts"
import { type EndpointConfig, endpointSchema } from "./address.ts"
import { choice, type ChoiceInput } from "./choice.ts"
import { featureShape } from "./feature.ts"
import { healthSchema } from "./health.ts"
import { clusterHttp2Schema } from "./http2.ts"
import { withPreset } from "./careful.ts"
import { parentSchema, withParentTls } from "./parent.ts"
import { resilienceSchema } from "./resilience.ts"
import { tlsVersionSchema } from "./listener.ts"
import { count, field, maybe, pathSchema } from "../../base/index.ts"
import { isHost } from "./address.ts"

export interface PeerConfig extends EndpointConfig {
  /** 1 to 65535; 0 never gets new requests. */
  readonly weight: number
  readonly backup: boolean
}

const peerLongSchema = z.strictObject({
  address: endpointSchema.describe('"host:port" or "unix:/path".'),
  weight: field(count(0, 65_535), 1, "Share of the requests, next to the other peers' weights; 0 = no new requests."),
  backup: field(z.boolean(), false, "Used only while no other peer is available."),
})

const peerSchema = z.union([
  endpointSchema.transform((endpoint): PeerConfig => ({ ...endpoint, weight: 1, backup: false })),
  peerLongSchema.transform(({ address, weight, backup }): PeerConfig => ({ ...address, weight, backup })),
])

const clusterTlsLongSchema = z.strictObject({
  serverName: maybe(
    z.string().refine(isHost, { error: "expected a host name" }),
    "Name for SNI and for checking the certificate. Default: the host of the peer's address.",
  ),
  ca: maybe(pathSchema, "PEM file with the authorities that are believed. Default: the runtime's."),
  cert: maybe(pathSchema, "PEM file with our own certificate, for peers that ask for one."),
  key: maybe(pathSchema, "PEM file with the private key of `cert`."),
  verify: field(z.boolean(), true, "Checks the peer's certificate and name."),
  minVersion: field(tlsVersionSchema, "1.2", "Lowest TLS version."),
})

const clusterTlsSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof clusterTlsLongSchema> => clusterTlsLongSchema.parse({})),
  clusterTlsLongSchema,
])

const poolSchema = z.strictObject({
  idleMax: field(count(0, 1_000_000), 256, "Kept-alive connections for each peer and worker."),
  idleTimeout: field(duration({ min: 1 }), "55s", "An idle connection is closed after this; keep it below the peer's own."),
  connectionsMax: field(count(0, 1_000_000), 0, "Open connections for each peer and worker; 0 = no limit."),
  requestsMax: field(count(0, 1_000_000_000), 0, "Requests on one connection; 0 = no limit."),
  streamsMax: field(count(1, 10_000), 100, "HTTP/2: requests on one connection at the same time, where the peer allows as many."),
  waitTimeout: field(duration(), "5s", "Longest wait for a connection when connectionsMax is reached."),
  waitersMax: field(count(0, 1_000_000), 1024, "Requests that may wait at the same time."),
  reconnect: field(
    duration({ max: 300_000 }),
    "0s",
    "How long a request waits for a peer that cannot be reached when it has no other to go to; the peer is tried again meanwhile, with growing pauses. 0 = the request fails at once.",
  ),
})

const fastcgiSchema = z.strictObject({
  root: z
    .string()
    .regex(/^\/[^\0]*[^\0/]$/, "expected the path of a directory, without a slash at its end")
    .describe("Directory of the scripts, as the application sees it."),
  index: field(z.string().regex(/^[^/\0]+$/, "expected the name of a script"), "index.php", "Script for paths that end in a slash."),
  split: field(
    z.string().regex(/^\.[^/\0]+$/, "expected an ending such as .php"),
    ".php",
    "Ending of scripts; what follows it in the path is PATH_INFO.",
  ),
  fallback: field(
    z.string().regex(/^(?:\/[^\0]+)?$/, "expected the path of a script such as /index.php"),
    "",
    'Script for all paths that name none: an application with one entry. "" = they get 404.',
  ),
  params: field(z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/, "expected a name such as APP_ENV"), z.string()), {}, "Further parameters."),
  keepAlive: field(z.boolean(), false, "Keeps connections, each of which holds one of the application's processes."),
  bufferBytesMax: field(
    size({ max: 64 * 1024 ** 2 }),
    "1MB",
    "Request body of unknown length that is held until it is known; a longer one gets 411.",
  ),
})

const limitsSchema = z.strictObject({
  headBytesMax: field(size({ min: 1024, max: 16 * 1024 ** 2 }), "256KB", "Header section of an answer; a larger one becomes 502."),
  fieldsMax: field(count(1, 65_536), 512, "Fields of an answer; more become 502."),
})

/** Shared with routes, which may say differently. */
export const upstreamTimeoutsSchema = z.strictObject({
  connect: field(duration({ min: 1 }), "5s", "A connection with its TLS handshake."),
  head: field(duration({ min: 1 }), "60s", "From the request's end to the response's head."),
  idle: field(duration({ min: 1 }), "60s", "Silence between two parts of the response body."),
  request: field(duration(), "0s", "The whole exchange with all attempts; 0 = no limit."),
})

const statusSchema = z.union([z.int(), z.string()]).transform((input, context): number[] => {
  const found = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(input))
  const [from, to] = found ? [Number(found[1]), Number(found[2] ?? found[1])] : [1, 0]
  if (from <= to) return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  context.issues.push({ code: "custom", input, message: `expected a status such as 503 or a range such as 502-504, got ${JSON.stringify(input)}` })
  return z.NEVER
})

/** Shared with routes. */
export const retrySchema = z.strictObject({
  attempts: field(count(1, 10), 2, "Attempts altogether; 1 = no retry."),
  status: field(
    z.array(statusSchema).transform(lists => [...new Set(lists.flat())].sort((a, b) => a - b)),
    [],
    "Statuses of the peer that are tried again, when the method is idempotent (RFC 9110 section 9.2.2).",
  ),
  budget: field(ratio(), 0.2, "Retries as a share of the requests; three a second are always allowed."),
  replayBytesMax: field(size({ max: 64 * 1024 ** 2 }), "64KB", "Request body kept for another attempt; a longer one is sent once."),
})

const writtenSchema = z.strictObject({
  peers: z.array(peerSchema).min(1).describe('Endpoints: "host:port", "unix:/path", or a map with weight and backup.'),
  balance: field(choice("balancer", featureShape(balancers), true), "round-robin", "How requests are spread over the peers."),
  sticky: maybe(
    choice("kind of stickiness", stickyShape, true) as z.ZodType<StickyConfig, ChoiceInput<typeof stickyShape> | string>,
    "Keeps a client with its peer, also when peers join. Default: every request is balanced anew.",
  ),
  slowStart: maybe(
    slowStartSchema,
    "A peer that comes up, comes back or joins begins with a small part of its weight, which grows to all of it in this time.",
  ),
  health: field(healthSchema, {}, "Health checks: at most one active kind, and the passive one."),
  allDown: field(z.enum(["try", "fail"]), "try", "When no peer is available: try them all the same, or answer 503."),
  protocol: field(
    z.enum(["auto", "http1", "http2", "http3", "tcp", "udp", "fastcgi"]),
    "auto",
    "What is spoken to the peers; tcp and udp are for listeners of that kind, fastcgi for applications such as PHP-FPM. auto takes HTTP/2 where TLS agrees on it (ALPN) and HTTP/1.1 elsewhere; http2 without tls is spoken by prior knowledge (h2c); http3 needs tls.",
  ),
  fastcgi: maybe(fastcgiSchema, "How requests become calls of scripts, where the protocol is fastcgi."),
  tls: field(clusterTlsSchema, false, "TLS towards the peers. true = all defaults."),
  parent: maybe(
    parentSchema,
    "The peers are proxies for routes `to: { origin: { via } }`: what they speak, and who we are there. Default: HTTP, without a log-in.",
  ),
  pool: field(poolSchema, {}, "Connections to the peers."),
  http2: field(clusterHttp2Schema, {}, "Connections that speak HTTP/2: windows, padding, and how a peer that is gone is noticed."),
  limits: field(limitsSchema, {}, "Limits of the peers' answers."),
  timeouts: field(upstreamTimeoutsSchema, {}, "Timeouts towards the peers."),
  retry: field(retrySchema, {}, "When a failed attempt is made again."),
  resilience: field(
    resilienceSchema,
    {},
    "Breaker, limits, queue, second attempts: what protects the cluster and its clients. careful = sane values for all of them.",
  ),
  proxyProtocol: maybe(z.enum(["v1", "v2"]), "Sends the PROXY protocol to the peers."),
})

/** A cluster. What the word `careful` means is filled in before it is read. */
export const clusterSchema = z.preprocess(written => withPreset(withParentTls(written)), writtenSchema) as unknown as z.ZodType<
  z.output<typeof writtenSchema>,
  z.input<typeof writtenSchema>
>
