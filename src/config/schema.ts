import { z } from "zod"
import { duration } from "../base/index.ts"
import { acmeSchema } from "./schema/acme.ts"
import { adminSchema } from "./schema/admin.ts"
import { cacheSchema } from "./schema/cache.ts"
import { captureSchema } from "./schema/capture.ts"
import { clusterSchema } from "./schema/cluster.ts"
import { exitSchema } from "./schema/exits.ts"
import { listenerSchema } from "./schema/listener.ts"
import { namesListSchema } from "./schema/lists.ts"
import { observeSchema } from "./schema/observe.ts"
import { resolverSchema } from "./schema/resolver.ts"
import { filterSchema, routeSchema } from "./schema/route.ts"
import { count, field, maybe, nameSchema } from "../base/index.ts"

const drainSchema = z.strictObject({
  timeout: field(duration(), "30s", "How long open exchanges may go on when the proxy stops; then they are cut."),
})

const routesSchema = z.array(routeSchema).transform(routes => routes.map((route, index) => ({ ...route, name: route.name ?? `route-${index + 1}` })))

/** The whole config. Input: what operators write. Output: one shape with every default filled in; durations in milliseconds, sizes in octets. */
export const configSchema = z.strictObject({
  workers: field(z.union([z.literal("auto"), count(1, 1024)]), "auto", "Worker threads; auto = one for each CPU that the process may use."),
  resolver: field(resolverSchema, {}, "How names are looked up."),
  listeners: field(z.record(nameSchema, listenerSchema), {}, "Where clients come in, by name."),
  clusters: field(z.record(nameSchema, clusterSchema), {}, "Groups of peers, by name."),
  exits: field(z.record(nameSchema, exitSchema), {}, "Ways out for requests to origins, by label, such as a country's."),
  caches: field(z.record(nameSchema, cacheSchema), {}, "Caches, by name."),
  lists: field(
    z.record(nameSchema, namesListSchema),
    {},
    "Lists of names, by name: for the matchers `domain` and `category` and for rules of filters.",
  ),
  filters: field(z.array(filterSchema), [], "Filters of all routes, in front of each one's own."),
  routes: field(routesSchema, [], "What happens to requests; the first route that matches wins."),
  observe: field(observeSchema, {}, "Access log and metrics."),
  capture: maybe(
    captureSchema,
    "Brings connections of this machine, or of those behind it, to transparent listeners (nftables). Linux, as root or with CAP_NET_ADMIN.",
  ),
  acme: field(acmeSchema, {}, "Automatic certificates, for listeners with `tls: auto`."),
  admin: field(adminSchema, "off", "The admin API."),
  drain: field(drainSchema, {}, "Stopping."),
})

/** The config as the rest of the proxy sees it. Plain data, but for functions that a TypeScript config may hold. */
export type Config = z.output<typeof configSchema>
/** The config as it is written; what `defineConfig` takes. */
export type ConfigInput = z.input<typeof configSchema>

export type AcmeConfig = Config["acme"]
export type ResolverConfig = Config["resolver"]
export type ListenerConfig = Config["listeners"][string]
export type ForwardConfig = NonNullable<ListenerConfig["forward"]>
export type ClusterConfig = Config["clusters"][string]
export type ClusterTlsConfig = NonNullable<ClusterConfig["tls"]>
export type ListConfig = Config["lists"][string]
export type RouteConfig = Config["routes"][number]
