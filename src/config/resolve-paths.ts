import { resolve } from "node:path"
import type { LoginOptions } from "../filter/index.ts"
import { answers, filters } from "./features.gen.ts"
import type { AcmeConfig, Config, ListenerConfig, ResolverConfig } from "./schema.ts"
import type { InspectConfig } from "./schema/forward-inspect.ts"
import { fixedExit } from "./schema/exits.ts"
import type { DestinationConfig, FilterUse } from "./schema/route.ts"

/** The same config with every path made absolute; relative ones count from `baseDir`. Those of Unix sockets are absolute already; those in options of features are theirs to resolve. */
export function resolvePaths(config: Config, baseDir: string): Config {
  const path = (name: string) => resolve(baseDir, name)
  return {
    ...config,
    listeners: eachOf(config.listeners, listener => resolveListener(listener, path)),
    resolver: resolveServers(config.resolver, path),
    clusters: eachOf(config.clusters, cluster => resolveCluster(cluster, path)),
    lists: eachOf(config.lists, list => ({ ...list, files: list.files === null ? null : list.files.map(path) })),
    caches: eachOf(config.caches, cache => ({ ...cache, disk: cache.disk && { ...cache.disk, path: path(cache.disk.path) } })),
    filters: config.filters.map(use => resolveFilter(use, path)),
    routes: config.routes.map(route => ({
      ...route,
      filters: route.filters.map(use => resolveFilter(use, path)),
      to: leaveBy(resolveDestination(route.to, path), config),
    })),
    acme: resolveAcme(config.acme, path),
    admin: config.admin && { ...config.admin, peersFile: config.admin.peersFile && path(config.admin.peersFile) },
    observe: { ...config.observe, accessLog: { ...config.observe.accessLog, to: resolveTarget(config.observe.accessLog.to, path) } },
  }
}

type Resolve = (name: string) => string

function resolveServers(resolver: ResolverConfig, path: Resolve): ResolverConfig {
  const own = (servers: NonNullable<ResolverConfig["servers"]>) => servers.map(server => ({ ...server, ca: server.ca && path(server.ca) }))
  return { ...resolver, servers: resolver.servers && own(resolver.servers), domains: eachOf(resolver.domains, own) }
}

function resolveAcme(acme: AcmeConfig, path: Resolve): AcmeConfig {
  return {
    ...acme,
    directory: path(acme.directory),
    issuers: acme.issuers.map(issuer => ({ ...issuer, ca: issuer.ca && path(issuer.ca) })),
    challenges: acme.challenges.map(challenge =>
      challenge.name === "dns-01"
        ? { ...challenge, options: { ...challenge.options, command: resolveCommand(challenge.options.command, path) } }
        : challenge,
    ),
  }
}

/** A program without a slash is looked for where programs are. */
function resolveCommand([program, ...rest]: readonly string[], path: Resolve): string[] {
  return [program!.includes("/") ? path(program!) : program!, ...rest]
}

function resolveListener(listener: ListenerConfig, path: Resolve): ListenerConfig {
  const { tls, forward } = listener
  return {
    ...listener,
    tls: tls && {
      ...tls,
      certificates: tls.certificates.map(({ cert, key }) => ({ cert: path(cert), key: path(key) })),
      clientCertificates: tls.clientCertificates && { ...tls.clientCertificates, ca: path(tls.clientCertificates.ca) },
    },
    forward: forward && {
      ...forward,
      auth: forward.auth && resolveLogin(forward.auth, path),
      inspect: forward.inspect && resolveInspect(forward.inspect, path),
    },
  }
}

function resolveInspect(inspect: InspectConfig, path: Resolve): InspectConfig {
  const { ca, upstream } = inspect
  return { ...inspect, ca: ca && { cert: path(ca.cert), key: path(ca.key) }, upstream: { ...upstream, ca: upstream.ca && path(upstream.ca) } }
}

/** Other files of a log-in are for its filter to resolve. */
function resolveLogin(auth: LoginOptions, path: Resolve): LoginOptions {
  return auth.htpasswd === undefined ? auth : { ...auth, htpasswd: path(auth.htpasswd) }
}

function resolveCluster(cluster: Config["clusters"][string], path: Resolve): Config["clusters"][string] {
  const { tls, parent } = cluster
  const maybePath = (name: string | null) => name && path(name)
  return {
    ...cluster,
    parent: parent && { ...parent, passwordFile: maybePath(parent.passwordFile), tokenFile: maybePath(parent.tokenFile) },
    tls: tls && { ...tls, ca: maybePath(tls.ca), cert: maybePath(tls.cert), key: maybePath(tls.key) },
  }
}

function resolveFilter(use: FilterUse, path: Resolve): FilterUse {
  const paths = use.inline === null ? filters.find(filter => filter.name === use.name)?.paths : undefined
  return paths === undefined ? use : { ...use, options: paths(use.options, path) }
}

function resolveDestination(to: DestinationConfig, path: Resolve): DestinationConfig {
  if (to.kind === "answer") {
    const { paths } = answers.find(answer => answer.name === to.name)!
    return paths === undefined ? to : { ...to, options: paths(to.options, path) }
  }
  if (to.kind === "split") return { kind: "split", split: { ...to.split, persist: to.split.persist && path(to.split.persist) } }
  if (to.kind !== "origin" || to.upgrade === null || to.upgrade.ca === null) return to
  return { ...to, upgrade: { ...to.upgrade, ca: path(to.upgrade.ca) } }
}

/** An exit through parents, where there is no other, is the same as `via`. */
function leaveBy(to: DestinationConfig, { exits }: Config): DestinationConfig {
  if (to.kind !== "origin" || to.exit === null) return to
  const label = fixedExit(to.exit)
  return label === null || !Object.hasOwn(exits, label) ? to : { ...to, via: exits[label]!.via }
}

function resolveTarget(target: Config["observe"]["accessLog"]["to"], path: Resolve): Config["observe"]["accessLog"]["to"] {
  return target.kind === "file" ? { kind: "file", path: path(target.path) } : target
}

function eachOf<T>(map: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]))
}
