import { normaliseIp } from "../base/index.ts"
import type { AutomaticCertificates } from "../net/index.ts"
import { type HOST_BELOW, HOST_EXACT, parseHost } from "../route/index.ts"
import type { Config } from "./schema.ts"

/** Whether any listener has automatic certificates. */
export function usesAutomatic(config: Config): boolean {
  return Object.values(config.listeners).some(listener => isAutomatic(listener.tls))
}

function isAutomatic(tls: Config["listeners"][string]["tls"]): boolean {
  return tls !== null && tls.auto !== null
}

/** Names that a listener's automatic certificates are for: those of its config, or the hosts of the routes that it serves. Empty where it has none. */
export function automaticNames(config: Config, listener: string): readonly string[] {
  const tls = config.listeners[listener]?.tls ?? null
  if (tls === null || tls.auto === null) return []
  const written = tls.auto.names ?? routedHosts(config, listener, HOST_EXACT)
  const names = [...new Set(written)].filter(name => !isCovered(name, written))
  return [...names.filter(isAddress), ...names.filter(name => !isAddress(name))]
}

/** Clients that come by address send no name: the first certificate is theirs. */
function isAddress(name: string): boolean {
  return normaliseIp(name) !== null
}

/** Hosts of the routes that a listener serves: the exact ones, or what stands behind the star of the others. */
export function routedHosts(config: Config, listener: string, kind: typeof HOST_EXACT | typeof HOST_BELOW): string[] {
  return config.routes
    .filter(({ match }) => match.listeners.length === 0 || match.listeners.includes(listener))
    .flatMap(({ match }) => match.rules.filter(rule => rule.name === "host").flatMap(rule => [rule.options].flat() as string[]))
    .map(parseHost)
    .filter(pattern => pattern.kind === kind)
    .map(pattern => pattern.host)
}

/** A wildcard stands for one label. */
function isCovered(name: string, names: readonly string[]): boolean {
  const dot = name.indexOf(".")
  return dot > 0 && !name.startsWith("*") && names.includes(`*.${name.slice(dot + 1)}`)
}

/** What a listener's certificate store has to look for; null = nothing. */
export function automaticCertificates(config: Config, listener: string): AutomaticCertificates | null {
  if (!isAutomatic(config.listeners[listener]?.tls ?? null)) return null
  return { folder: config.acme.directory, names: automaticNames(config, listener), onDemand: config.acme.onDemand !== null }
}

/** The plain listeners answer HTTP-01 challenges from this folder; null = there are none. */
export function httpChallengeFolder(config: Config): string | null {
  const asked = config.acme.challenges.some(challenge => challenge.name === "http-01")
  return asked && usesAutomatic(config) ? config.acme.directory : null
}
