import { z } from "zod"
import { size } from "../../base/index.ts"
import { cacheOptionsSchema } from "../../cache/index.ts"
import type { Filter } from "../../plugin/index.ts"
import { priorityWords } from "../../upstream/index.ts"
import { answers, filters } from "../features.gen.ts"
import { choice, scriptOnly } from "./choice.ts"
import { retrySchema, upstreamTimeoutsSchema } from "./cluster.ts"
import { type ExitChoice, exitUseSchema } from "./exits.ts"
import { featureShape } from "./feature.ts"
import { matchSchema } from "./match.ts"
import { type SplitConfig, splitOptionsSchema } from "./split.ts"
import { field, listOf, maybe, nameSchema, overridesOf, pathSchema } from "../../base/index.ts"

/** A filter with its parsed options; `inline` is set when a TypeScript config gave the filter itself. */
export interface FilterUse {
  readonly name: string
  readonly options: unknown
  readonly inline: Filter | null
  /** It stands among the filters of all routes. Default: it is its route's own. */
  readonly everywhere?: boolean
}

/** How requests to origins leave in a better way than they came. */
export interface OriginUpgradeConfig {
  readonly tls: boolean
  readonly http: "auto" | "http1" | "http2" | "http3"
  readonly ca: string | null
}

export type DestinationConfig =
  | { readonly kind: "cluster"; readonly cluster: string }
  /** To one of several clusters. */
  | { readonly kind: "split"; readonly split: SplitConfig }
  | {
      readonly kind: "origin"
      readonly via: string | null
      readonly exit: ExitChoice | null
      readonly orDirect: boolean
      readonly upgrade: OriginUpgradeConfig | null
    }
  /** Answers by itself: one of the folders of `answer/` with its parsed options. */
  | { readonly kind: "answer"; readonly name: string; readonly options: unknown }

// The cache is not a filter folder (it has a room of its own) but is written among the filters, where its place in the order shows.
const cacheUseSchema = cacheOptionsSchema
  .extend({
    bypass: maybe(listOf(matchSchema), "Requests that the cache has no part in: a match as routes have it, or a list of which one must hold."),
  })
  .describe("Answers from a cache and fills it (RFC 9111).")

// Rules of filters have matches as routes do.
const withMatches = filters.map(({ name, summary, options, optionsWith }) => ({ name, summary, options: optionsWith?.(matchSchema) ?? options }))
const filterShape: Record<string, z.ZodType> = { cache: cacheUseSchema, ...featureShape(withMatches) }

const phases = ["identify", "access", "request", "upstreamRequest", "upstreamResponse", "response", "log"] as const

function isFilter(value: unknown): value is Filter & { name?: string } {
  return typeof value === "object" && value !== null && phases.some(phase => typeof (value as Record<string, unknown>)[phase] === "function")
}

const namedFilterSchema = choice("filter", filterShape, true)
const inlineFilterSchema = scriptOnly(z.custom<Filter & { name?: string }>(isFilter))

export const filterSchema = z.union([
  inlineFilterSchema.transform((inline): FilterUse => ({ name: typeof inline.name === "string" ? inline.name : "inline", options: null, inline })),
  namedFilterSchema.transform(({ name, options }): FilterUse => ({ name, options, inline: null })),
])

const upgradeSchema = z.strictObject({
  tls: field(z.boolean(), false, "Reaches origins of http URLs over TLS, those of port 80 on port 443."),
  http: field(
    z.enum(["auto", "http1", "http2", "http3"]),
    "auto",
    "HTTP version towards https origins. auto takes the best that each offers: HTTP/2 where TLS agrees on it, HTTP/3 where Alt-Svc or an HTTPS record says so and UDP gets through.",
  ),
  ca: maybe(pathSchema, "PEM file with the authorities that are believed. Default: those of the system."),
})

const originSchema = z.strictObject({
  via: maybe(nameSchema, "Cluster of parent proxies. Default: straight to the origin."),
  exit: maybe(exitUseSchema, "Exit that requests leave by: a label of `exits`, or how it is chosen. Default: none, the system's own way."),
  orDirect: field(
    z.boolean(),
    false,
    "Straight to the origin when no parent can be reached. Off: an error, so that nothing goes past the parents, and no name is looked up here.",
  ),
  upgrade: maybe(
    upgradeSchema,
    "Speaks to origins in a better way than the client does: a sidecar in front of a service that knows plain HTTP/1.1 only. Through parents without HTTP/3.",
  ),
})

const destinationShape = {
  cluster: nameSchema.describe("To a peer of this cluster."),
  split: splitOptionsSchema(matchSchema).describe(
    "To one of several clusters: by weight, by client, or as the request says. For canaries and blue-green.",
  ),
  origin: originSchema.describe("To whatever the forward request names."),
}

const destinationSchema = choice("destination", { ...destinationShape, ...featureShape(answers) } as typeof destinationShape &
  Record<string, z.ZodType>).transform((use): DestinationConfig => {
  if (use.name === "cluster") return { kind: "cluster", cluster: use.options as string }
  if (use.name === "split") return { kind: "split", split: use.options as SplitConfig }
  if (use.name === "origin") return { kind: "origin", ...(use.options as z.output<typeof originSchema>) }
  return { kind: "answer", name: use.name, options: use.options }
})

const priorityLongSchema = z.strictObject({
  header: z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a header field name")
    .toLowerCase()
    .describe("Field in which a request says high, normal or low. Whoever may set it decides: take it off clients that may not."),
  default: field(z.enum(priorityWords), "normal", "Priority of requests without it."),
})

const timeoutOverridesSchema = overridesOf(upstreamTimeoutsSchema)
const retryOverridesSchema = overridesOf(retrySchema)

const prioritySchema = z.union([
  z.enum(priorityWords).transform((word): z.output<typeof priorityLongSchema> => ({ header: "", default: word })),
  priorityLongSchema,
])

export const routeSchema = z
  .strictObject({
    name: maybe(nameSchema, "Name in logs and metrics. Default: route-N, counted from 1."),
    match: field(matchSchema, {}, "Conditions, all of which must hold; {} matches everything."),
    filters: field(z.array(filterSchema), [], "Filters in the order in which they run within each phase."),
    to: destinationSchema.describe(`Where matching requests go: one of cluster, split, origin, ${answers.map(({ name }) => name).join(", ")}.`),
    upgrade: field(
      z.array(
        z
          .string()
          .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/, "not a protocol name")
          .toLowerCase(),
      ),
      ["websocket"],
      "Protocols that a client may switch to (RFC 9110 section 7.8). connect-udp opens UDP tunnels of forward clients to origins (RFC 9298).",
    ),
    encodedSlashes: z
      .enum(["refuse", "allow"])
      .optional()
      .describe("Paths with %2F or backslashes. Default: refuse when the route has a path rule, else allow."),
    timeouts: field(timeoutOverridesSchema, {}, "Differs from the cluster's timeouts."),
    retry: field(retryOverridesSchema, {}, "Differs from the cluster's retry rules."),
    priority: field(
      prioritySchema,
      "normal",
      "What is refused or waits first when a cluster has limits (docs/resilience.md): critical is never shed. A map takes it from a header field.",
    ),
    bodyBytesMax: maybe(size(), "Differs from the listener's bodyBytesMax; 0 = no limit."),
  })
  .transform(route => ({
    ...route,
    encodedSlashes: route.encodedSlashes ?? (route.match.rules.some(rule => rule.name === "path") ? ("refuse" as const) : ("allow" as const)),
  }))
