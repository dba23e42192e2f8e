import type { Finding } from "../problem.ts"
import type { ClusterConfig } from "../schema.ts"
import { isLoopback } from "../schema/address.ts"
import { error, listenersOf, type Subject, warning } from "./subject.ts"

/** Values that are each valid and do not go together. */
export function checkValues(subject: Subject): Finding[] {
  const { config } = subject
  const findings = Object.entries(config.clusters).flatMap(([name, cluster]) => checkCluster(name, cluster))
  if (config.resolver.ttlMin > config.resolver.ttlMax) findings.push(error(["resolver", "ttlMin"], "ttlMin is longer than ttlMax"))
  return [...findings, ...checkAdmin(subject), ...checkCertificateFilters(subject)]
}

function checkCluster(name: string, cluster: ClusterConfig): Finding[] {
  const at = ["clusters", name]
  const findings: Finding[] = []
  const seen = new Map<string, number>()
  for (const [i, peer] of cluster.peers.entries()) {
    const before = seen.get(peer.address)
    if (before !== undefined) findings.push(warning([...at, "peers", i], `the same peer as peers[${before}]; give one of them a weight instead`))
    else seen.set(peer.address, i)
  }
  if (cluster.peers.every(peer => peer.weight === 0)) findings.push(warning([...at, "peers"], "every peer has weight 0, so none gets requests"))
  const active = cluster.health.active
  if (active && active.timeout > active.every) {
    findings.push(warning([...at, "health", active.name], "a probe's timeout is longer than the time between two probes"))
  }
  const { passive } = cluster.health
  if (passive && passive.eject > passive.ejectMax) findings.push(error([...at, "health", "passive"], "eject is longer than ejectMax"))
  return findings
}

function checkAdmin({ config: { admin } }: Subject): Finding[] {
  if (admin === null) return []
  const open = !isLoopback(admin.bind)
  if (open && admin.token === null) {
    return [error(["admin", "bind"], "the admin API off loopback needs a `token`, or everybody who reaches this address can stop the proxy")]
  }
  return open && admin.token!.length < 16 ? [warning(["admin", "token"], "a token of fewer than 16 characters can be guessed")] : []
}

/** Who is never asked for a certificate never shows one. */
function checkCertificateFilters(subject: Subject): Finding[] {
  const { config, routeIndex } = subject
  return config.routes.flatMap((route, i) => {
    const at = route.filters.findIndex(use => use.inline === null && use.name === "require-certificate")
    const silent = listenersOf(subject, route).filter(
      name => config.listeners[name]?.tls?.clientCertificates == null && Object.hasOwn(config.listeners, name),
    )
    if (at < 0 || silent.length === 0) return []
    const names = silent.map(name => JSON.stringify(name)).join(", ")
    return [
      warning(
        ["routes", routeIndex[i]!, "filters", at],
        `no client gets through on ${names}: a listener asks for certificates when it has tls.clientCertificates`,
      ),
    ]
  })
}
