import { readFileSync } from "node:fs"
import type { ResolverConfig } from "../../config/index.ts"
import { Resolver, type ServerConfig } from "../../net/index.ts"
import type { NameResolver, OriginResolver } from "../../upstream/index.ts"

/** The resolver of the control thread, by the config. Discovery lives on another floor than net and knows only the shape. */
export function makeResolver(config: ResolverConfig): NameResolver {
  const resolver = build(config, false)
  const ask =
    (how: "lookup" | "refresh"): NameResolver["lookup"] =>
    (name, done) =>
      resolver[how](name, (error, addresses, expiresAt) =>
        done(
          error,
          addresses.map(entry => entry.address),
          expiresAt,
        ),
      )
  return { lookup: ask("lookup"), refresh: ask("refresh") }
}

/** The resolver of a worker, for the origins of forward requests. `isBlocked`: names that are looked up for nobody. */
export function makeOriginResolver(config: ResolverConfig, isBlocked?: (name: string) => boolean): OriginResolver {
  const resolver = build(config, true, isBlocked)
  return {
    lookup: (name, done) => resolver.lookup(name, done),
    services: (name, port, done) => resolver.services(name, port, done),
    relay: (name, type, done) => resolver.relay(name, type, done),
  }
}

function build(config: ResolverConfig, tellsFailures: boolean, isBlocked?: (name: string) => boolean): Resolver {
  return new Resolver({
    ...(config.servers === null ? {} : { servers: config.servers.flatMap(serversOf) }),
    domains: Object.fromEntries(Object.entries(config.domains).map(([domain, servers]) => [domain, servers.flatMap(serversOf)])),
    isBlocked,
    timeoutMs: config.timeout,
    attempts: config.attempts,
    negativeTtlMs: config.negativeTtl,
    ttlMinMs: config.ttlMin,
    ttlMaxMs: config.ttlMax,
    staleForMs: config.staleFor,
    tellsFailures,
  })
}

function serversOf({ address, addresses, ca }: NonNullable<ResolverConfig["servers"]>[number]): ServerConfig[] {
  if (addresses.length === 0) return [address]
  const pem = ca === null ? undefined : readFileSync(ca, "utf8")
  return addresses.map(own => ({ url: address, address: own, ca: pem }))
}
