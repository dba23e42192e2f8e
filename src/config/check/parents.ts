import { FileError } from "../../base/index.ts"
import { firstLine } from "../compile/parent-login.ts"
import type { ParentConfig } from "../schema/parent.ts"
import { isLoopback } from "../schema/address.ts"
import type { ConfigPath, Finding } from "../problem.ts"
import type { ClusterConfig } from "../schema.ts"
import { clustersOf, error, type Subject, warning } from "./subject.ts"

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
  return [...clusters, ...routes]
}

function checkCluster(at: ConfigPath, cluster: ClusterConfig, parent: ParentConfig): Finding[] {
  const { protocol } = cluster
  const spoken =
    protocol === "auto" || protocol === "http1" || protocol === "http2"
      ? []
      : [error([...at, "protocol"], `no parent proxy is spoken to in ${protocol}`)]
  return [...spoken, ...checkTls([...at, "tls"], cluster, parent), ...checkLogin([...at, "parent"], cluster, parent)]
}

function checkTls(at: ConfigPath, { tls }: ClusterConfig, { kind }: ParentConfig): Finding[] {
  return kind === "https" && tls === null ? [error(at, "kind: https needs TLS, and tls is off here; kind: http is without")] : []
}

function checkLogin(at: ConfigPath, cluster: ClusterConfig, parent: ParentConfig): Finding[] {
  const { user, password, passwordFile, token, tokenFile } = parent
  const findings: Finding[] = []
  if (password !== null && passwordFile !== null) findings.push(error([...at, "passwordFile"], "password and passwordFile say the same; keep one"))
  if (token !== null && tokenFile !== null) findings.push(error([...at, "tokenFile"], "token and tokenFile say the same; keep one"))
  const hasToken = token !== null || tokenFile !== null
  if (user === null && (password !== null || passwordFile !== null)) findings.push(error(at, "a password needs a user"))
  if (user !== null && hasToken) findings.push(error([...at, "user"], "a parent takes a user or a token, not both"))
  if (user !== null && password === null && passwordFile === null) findings.push(error([...at, "user"], "a user needs password or passwordFile"))
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
