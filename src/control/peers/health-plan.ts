import { type ClusterConfig, type ClusterTlsConfig, healthChecks } from "../../config/index.ts"
import { readClientTlsFiles } from "../../net/index.ts"
import type { HealthTarget } from "../../plugin/index.ts"
import { endpointName, type HealthPeer, type HealthPlan } from "../../upstream/index.ts"
import type { ResolvedPeer } from "../protocol.ts"

/** How a cluster's peers are probed; null = not at all. */
export function healthPlanOf(cluster: ClusterConfig): HealthPlan | null {
  const { active } = cluster.health
  if (active === null) return null
  const check = healthChecks.find(one => one.name === active.name)
  if (check === undefined) return null
  const { every, timeout, rise, fall, jitter, options } = active
  return { check, options, every, timeout, rise, fall, jitter }
}

/** The peers as the monitor wants them. Throws when a certificate of the cluster cannot be read. */
export function healthPeersOf(peers: readonly ResolvedPeer[], cluster: ClusterConfig): HealthPeer[] {
  const files = cluster.tls === null ? null : readClientTlsFiles(cluster.tls)
  return peers.map(peer => ({ name: endpointName(peer), slot: peer.slot, target: targetOf(peer, cluster.tls, files) }))
}

type TlsTexts = Pick<NonNullable<HealthTarget["tls"]>, "ca" | "cert" | "key">

function targetOf(peer: ResolvedPeer, tls: ClusterTlsConfig | null, texts: TlsTexts | null): HealthTarget {
  const where = { address: peer.path === "" ? peer.address : `unix:${peer.path}`, port: peer.port, host: peer.host === "" ? undefined : peer.host }
  if (tls === null) return { ...where, tls: null }
  return { ...where, tls: { ...texts, serverName: tls.serverName ?? peer.host, verify: tls.verify, minVersion: tls.minVersion } }
}
