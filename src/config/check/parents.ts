import { FileError } from "../../base/index.ts"
import { firstLine, isSocksKind } from "../compile/parent-login.ts"
import type { ParentConfig } from "../schema/parent.ts"
import { isLoopback } from "../schema/address.ts"
import type { ConfigPath, Finding } from "../problem.ts"
import type { ClusterConfig } from "../schema.ts"
import { unknown } from "./references.ts"
import { clustersOf, error, type Subject, warning } from "./subject.ts"

const CHAIN_MAX = 8

/** Clusters of parent proxies: log-ins that are whole, and nothing that cannot be spoken to a proxy. */
export function checkParents(subject: Subject): Finding[] {
  const { config, routeIndex } = subject
  const clusters = Object.entries(config.clusters).flatMap(([name, cluster]) =>
    cluster.parent === null ? [] : checkCluster(["clusters", name], cluster, cluster.parent),
  )
  const routes = config.routes.flatMap((route, i) =>
    route.to.kind === "origin"
      ? []
      : clustersOf(route).flatMap(({ name, at }) =>
          (config.clusters[name]?.parent ?? null) === null
            ? []
            : [error(["routes", routeIndex[i]!, ...at], `${JSON.stringify(name)} is a cluster of parents: write to: { origin: { via: ${name} } }`)],
        ),
  )
  return [...clusters, ...routes, ...checkChains(subject)]
}

function checkCluster(at: ConfigPath, cluster: ClusterConfig, parent: ParentConfig): Finding[] {
  const { protocol } = cluster
  const spoken =
    protocol === "auto" || protocol === "http1" || protocol === "http2" || protocol === "http3"
      ? []
      : [error([...at, "protocol"], `no parent proxy is spoken to in ${protocol}`)]
  return [
    ...spoken,
    ...checkKind([...at, "parent"], cluster, parent),
    ...checkTls([...at, "tls"], cluster, parent),
    ...checkLogin([...at, "parent"], cluster, parent),
  ]
}

/** Parents of parents: there, and no circle. */
function checkChains({ config, declared }: Subject): Finding[] {
  return Object.entries(config.clusters).flatMap(([name, { parent }]) => {
    if (parent === null || parent.via === null) return []
    const at = ["clusters", name, "parent", "via"]
    if (!declared.clusters.has(parent.via)) return unknown("cluster", parent.via, declared.clusters, at)
    const way = [name]
    for (let next: string | null = parent.via; next !== null; next = config.clusters[next]?.parent?.via ?? null) {
      way.push(next)
      if (next === name) return [error(at, `a circle: ${way.join(" -> ")}`)]
      if (way.length > CHAIN_MAX) return [error(at, `a chain of more than ${CHAIN_MAX} clusters, or one that leads into a circle`)]
    }
    return []
  })
}

/** What SOCKS has no words for. */
function checkKind(
  at: ConfigPath,
  { protocol, proxyProtocol, health }: ClusterConfig,
  { kind, password, passwordFile, token, tokenFile, via }: ParentConfig,
): Finding[] {
  const findings: Finding[] = []
  if (via !== null && proxyProtocol !== null)
    findings.push(error([...at, "via"], "a PROXY header is for the proxy that is dialled, and this one is reached through others"))
  if (via !== null && health.active)
    findings.push(
      error([...at, "via"], "health checks would go straight to these parents: leave health.NAME out; failed requests eject them all the same"),
    )
  if (!isSocksKind(kind)) return findings
  if (protocol === "http2") findings.push(error([...at, "kind"], `${kind} parents speak no HTTP; leave protocol out`))
  if (token !== null || tokenFile !== null)
    findings.push(error([...at, token === null ? "tokenFile" : "token"], "SOCKS knows user and password, no tokens"))
  const hasPassword = password !== null || passwordFile !== null
  if (kind === "socks4a" && hasPassword)
    findings.push(error([...at, password === null ? "passwordFile" : "password"], "SOCKS 4a knows a user, and no password"))
  return findings
}

function checkTls(at: ConfigPath, { tls }: ClusterConfig, { kind }: ParentConfig): Finding[] {
  return kind === "https" && tls === null ? [error(at, "kind: https needs TLS, and tls is off here; kind: http is without")] : []
}

function checkLogin(at: ConfigPath, cluster: ClusterConfig, parent: ParentConfig): Finding[] {
  const { kind, user, password, passwordFile, token, tokenFile } = parent
  const findings: Finding[] = []
  if (password !== null && passwordFile !== null) findings.push(error([...at, "passwordFile"], "password and passwordFile say the same; keep one"))
  if (token !== null && tokenFile !== null) findings.push(error([...at, "tokenFile"], "token and tokenFile say the same; keep one"))
  const hasToken = token !== null || tokenFile !== null
  if (user === null && (password !== null || passwordFile !== null)) findings.push(error(at, "a password needs a user"))
  if (user !== null && hasToken) findings.push(error([...at, "user"], "a parent takes a user or a token, not both"))
  if (user !== null && password === null && passwordFile === null && kind !== "socks4a")
    findings.push(error([...at, "user"], "a user needs password or passwordFile"))
  findings.push(
    ...checkSecret([...at, "passwordFile"], passwordFile, /^\P{Cc}{0,255}$/u),
    ...checkSecret([...at, "tokenFile"], tokenFile, /^[\x21-\x7e]+$/),
  )
  const isLocal = cluster.peers.every(({ path, host, port }) => path !== "" || isLoopback({ host, port }))
  const inTheClear = (user !== null || hasToken) && cluster.tls === null && !isLocal
  if (inTheClear) findings.push(warning(at, "the log-in crosses the network in the clear; give the cluster `tls` if the parents speak it"))
  return findings
}

function checkSecret(at: ConfigPath, path: string | null, wanted: RegExp): Finding[] {
  if (path === null) return []
  try {
    const secret = firstLine(path)
    return secret !== "" && wanted.test(secret) ? [] : [error(at, `${path}: expected the secret in the first line, and nothing else there`)]
  } catch (failure) {
    if (!(failure instanceof FileError)) throw failure
    return [error(at, failure.message)]
  }
}
