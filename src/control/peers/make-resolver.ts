import { formatHostPort } from "../../base/index.ts"
import type { ResolverConfig } from "../../config/index.ts"
import { Resolver } from "../../net/index.ts"
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

/** The resolver of a worker, for the origins of forward requests. */
export function makeOriginResolver(config: ResolverConfig): OriginResolver {
  const resolver = build(config, true)
  return { lookup: (name, done) => resolver.lookup(name, done), services: (name, port, done) => resolver.services(name, port, done) }
}

function build(config: ResolverConfig, tellsFailures: boolean): Resolver {
  return new Resolver({
    ...(config.servers === null ? {} : { servers: config.servers.map(server => formatHostPort(server.host, server.port)) }),
    timeoutMs: config.timeout,
    attempts: config.attempts,
    negativeTtlMs: config.negativeTtl,
    ttlMinMs: config.ttlMin,
    ttlMaxMs: config.ttlMax,
    staleForMs: config.staleFor,
    tellsFailures,
  })
}
