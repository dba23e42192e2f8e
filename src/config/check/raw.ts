import { rawProtocolOf } from "../compile/raw-protocol.ts"
import { filters } from "../features.gen.ts"
import type { ConfigPath, Finding } from "../problem.ts"
import type { Config, RouteConfig } from "../schema.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Rules that mean something without HTTP. */
const RULES = new Set(["listener", "client", "host", "domain", "category", "counter"])

/** Listeners and routes for connections without HTTP. */
export function checkRaw({ config, routeIndex }: Subject): Finding[] {
  return [
    ...Object.entries(config.listeners).flatMap(([name, listener]) => checkListener(["listeners", name], listener)),
    ...Object.entries(config.clusters).flatMap(([name, cluster]) => checkCluster(["clusters", name], cluster)),
    ...config.routes.flatMap((route, i) => checkRoute(["routes", routeIndex[i]!], route, config)),
  ]
}

function checkListener(at: ConfigPath, listener: Config["listeners"][string]): Finding[] {
  const { tcp, udp, forward, http3, tls, proxyProtocol, bind } = listener
  const kind = rawProtocolOf(listener)
  if (kind === null) return []
  const without = kind.toUpperCase()
  const findings: Finding[] = []
  if (tcp !== null && udp !== null) findings.push(error([...at, "udp"], "a listener is one of tcp and udp; take two, they can have the same port"))
  if (forward !== null) findings.push(error([...at, "forward"], `a ${without} listener understands no requests, so it is no forward proxy`))
  if (http3 !== null) findings.push(error([...at, "http3"], `a ${without} listener speaks no HTTP`))
  if (udp === null) return findings
  if (tls !== null) findings.push(error([...at, "tls"], "TLS needs a stream; a UDP listener hands on datagrams as they are"))
  if (proxyProtocol !== null)
    findings.push(error([...at, "proxyProtocol"], "there is no PROXY protocol over UDP: a sender of it could not be told from others"))
  if (bind.some(address => "path" in address)) findings.push(error([...at, "bind"], "a UDP listener needs a port"))
  return findings
}

function checkCluster(at: ConfigPath, { protocol, tls, peers }: Config["clusters"][string]): Finding[] {
  if (protocol !== "udp") return []
  if (tls !== null) return [error([...at, "tls"], "TLS needs a stream; the peers of this cluster get datagrams")]
  return peers.some(peer => peer.path !== "") ? [error([...at, "peers"], "UDP needs ports; this cluster has peers on Unix sockets")] : []
}

function checkRoute(at: ConfigPath, route: RouteConfig, config: Config): Finding[] {
  const { match, to } = route
  const names = match.listeners.length > 0 ? match.listeners : Object.keys(config.listeners)
  const kinds = names.flatMap(name => (config.listeners[name] === undefined ? [] : [rawProtocolOf(config.listeners[name])]))
  const protocol = to.kind === "cluster" ? config.clusters[to.cluster]?.protocol : undefined
  const spoken = protocol === "tcp" || protocol === "udp" ? protocol : null
  const findings: Finding[] = []
  if (spoken !== null && kinds.some(kind => kind !== spoken)) {
    const text = `the peers of this cluster get ${spoken.toUpperCase()}: name the listeners of that kind in match.listener`
    findings.push(error([...at, "to", "cluster"], text))
  } else if (spoken === null && match.listeners.length > 0) {
    const raw = kinds.find(kind => kind !== null && kind !== undefined)
    if (raw) findings.push(error([...at, "to"], `what comes by a ${raw.toUpperCase()} listener can only go to a cluster with protocol: ${raw}`))
  }
  return spoken === null ? findings : [...findings, ...checkRules(at, route), ...checkFilters(at, route)]
}

function checkRules(at: ConfigPath, { match }: RouteConfig): Finding[] {
  return match.rules
    .filter(rule => !RULES.has(rule.name))
    .map(rule => warning([...at, "match", rule.name], "there is no request that this rule could hold for, so the route is never taken", "key"))
}

function checkFilters(at: ConfigPath, route: RouteConfig): Finding[] {
  return route.filters.flatMap((use, i) => {
    if (use.inline !== null || use.everywhere === true || filters.find(filter => filter.name === use.name)?.raw === true) return []
    return [error([...at, "filters", i], `${use.name} needs a request; connections without HTTP have none`)]
  })
}
