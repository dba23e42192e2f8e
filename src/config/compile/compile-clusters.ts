import { ipFamily, log } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import {
  ClientTls,
  dial,
  dialQuic,
  dialUdpWire,
  QuicClientTls,
  type DialHandle,
  type DialHandler,
  encodePreface,
  readClientTlsFiles,
} from "../../net/index.ts"
import type { MetricsRegistry } from "../../observe/index.ts"
import type { BalancerDefinition } from "../../plugin/index.ts"
import {
  buildSticky,
  Cluster,
  type ClusterQuicDialer,
  type Dialer,
  type PoolSettings,
  EJECTED,
  Ejection,
  failureFrom,
  Peer,
  RETURNED,
  RetryBudget,
  SlowStart,
  type Sticky,
} from "../../upstream/index.ts"
import { balancers } from "../features.gen.ts"
import { h2PeerTuningOf } from "../schema/http2.ts"
import type { ClusterConfig, Config } from "../schema.ts"
import { ClusterMeter } from "./cluster-meter.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { compileGuard } from "./compile-guard.ts"

/** Builds the clusters, each with its peers and no connections yet. `registry` knows where each one's numbers go; null = nobody counts. */
export function compileClusters(config: Config, deps: CompileDeps, registry: MetricsRegistry | null): CompiledClusters {
  const clusters = new Map<string, Cluster>()
  const chains = new Map<string, Dialer>()
  const keys = new Map<string, string>()
  for (const [name, settings] of Object.entries(config.clusters)) {
    const meter = registry === null || deps.metrics === null ? null : new ClusterMeter(deps.metrics, registry.cluster(name))
    const cluster = buildCluster(name, settings, deps, { meter, chains })
    cluster.setPeers((deps.peers[name] ?? []).map(peer => new Peer(peer, peer.slot, deps.states, peer.metrics)))
    clusters.set(name, cluster)
    keys.set(
      name,
      JSON.stringify({
        protocol: settings.protocol,
        tls: settings.tls,
        pool: settings.pool,
        http2: settings.http2,
        limits: settings.limits,
        proxyProtocol: settings.proxyProtocol,
        // With those behind whom it stands: connections lead through them.
        parents: parentsOf(name, config),
      }),
    )
  }
  return { clusters, keys, chains }
}

/** The new snapshot goes live: connections to peers that stay are kept where both connect in the same way. */
export function adoptConnections(next: CompiledClusters, former: CompiledClusters): void {
  for (const [name, old] of former.clusters) {
    const cluster = next.clusters.get(name)
    if (cluster === undefined) old.close()
    else cluster.adopt(old, next.keys.get(name) === former.keys.get(name))
  }
}

export interface CompiledClusters {
  readonly clusters: ReadonlyMap<string, Cluster>
  /** What decides whether pools can be kept. */
  readonly keys: ReadonlyMap<string, string>
  /** How clusters that stand behind parents are dialled; `compileThrough` fills it in. */
  readonly chains: Map<string, Dialer>
}

function parentsOf(name: string, config: Config): unknown[] {
  const out: unknown[] = []
  for (let at: string | null = name; at !== null && out.length <= Object.keys(config.clusters).length; at = config.clusters[at]?.parent?.via ?? null)
    out.push(at === name ? config.clusters[at]!.parent : config.clusters[at])
  return out
}

interface Around {
  readonly meter: ClusterMeter | null
  readonly chains: ReadonlyMap<string, Dialer>
}

function buildCluster(name: string, settings: ClusterConfig, deps: CompileDeps, { meter, chains }: Around): Cluster {
  const definition = balancers.find(balancer => balancer.name === settings.balance.name) as BalancerDefinition<unknown>
  const { options } = settings.balance
  const { health } = settings
  const ejection = health.passive === null ? null : new Ejection(health.passive)
  const failsFrom = failureFrom(health.passive?.counts ?? "5xx")
  let seen: readonly Peer[] = []
  return new Cluster({
    name,
    makeBalancer: () => definition.build(options, Math.random),
    key: definition.key?.(options) ?? null,
    sticky: stickyOf(name, settings, deps),
    slowStart: settings.slowStart === null ? null : new SlowStart(settings.slowStart),
    allDown: settings.allDown,
    pool: poolOf(settings),
    time: deps.time,
    dialer:
      (settings.parent?.via ?? null) !== null && deps.dial === undefined
        ? chained(name, chains)
        : settings.protocol === "udp"
          ? compileUdpDialer(deps)
          : compileDialer(settings, deps),
    quicDialer: settings.protocol === "http3" ? compileQuicDialer(settings, deps) : null,
    budget: new RetryBudget(deps.states, deps.clusterSlots[name] ?? 0, settings.retry.budget),
    meter,
    guard: compileGuard(name, settings, deps, { ejection, meter }),
    judge(cluster, peer, outcome) {
      if (ejection === null) return
      if (seen !== cluster.peers) {
        seen = cluster.peers
        ejection.peersChanged(seen)
      }
      const change = ejection.report(peer, outcome < failsFrom)
      if (change === EJECTED) log.warn("upstream", "a peer is ejected", { cluster: name, peer: peer.name })
      else if (change === RETURNED) log.info("upstream", "a peer is back", { cluster: name, peer: peer.name })
    },
    refresh:
      settings.parent?.via == null && settings.peers.some(peer => peer.path === "" && ipFamily(peer.host) === 0)
        ? cluster => deps.refreshPeers(cluster)
        : null,
  })
}

/** How a cluster keeps its connections. */
export function poolOf(settings: ClusterConfig): PoolSettings {
  const { pool } = settings
  return {
    // A PROXY header speaks for one client: its connection serves no other, also none that waits for it.
    idleMax: settings.proxyProtocol === null ? pool.idleMax : 0,
    idleTimeoutMs: pool.idleTimeout,
    connectionsMax: pool.connectionsMax,
    requestsMax: settings.proxyProtocol === null ? pool.requestsMax : 1,
    waitTimeoutMs: pool.waitTimeout,
    waitersMax: pool.waitersMax,
    reconnectMs: pool.reconnect,
    headBytesMax: settings.limits.headBytesMax,
    fieldsMax: settings.limits.fieldsMax,
    streamsMax: settings.pool.streamsMax,
    h2: h2PeerTuningOf(settings.http2),
    // A PROXY header speaks for one client, and so does its connection.
    protocol: settings.proxyProtocol === null || settings.protocol === "tcp" || settings.protocol === "fastcgi" ? settings.protocol : "http1",
    secure: settings.tls !== null,
    fastcgi: settings.fastcgi,
  }
}

function chained(name: string, chains: ReadonlyMap<string, Dialer>): Dialer {
  return (peer, timeoutMs, handler, x) => chains.get(name)!(peer, timeoutMs, handler, x)
}

function stickyOf(name: string, { sticky }: ClusterConfig, deps: CompileDeps): Sticky | null {
  if (sticky === null) return null
  const { time, shared = (_key, bytes) => new SharedArrayBuffer(bytes) } = deps
  return buildSticky(sticky, { cluster: name, time, secret: deps.states.secret(), shared })
}

/** A third of the runtime's idle timeout: an answer may take longer than that. */
export const KEEP_ALIVE_MS = 10_000

/** What TLS offers to peers (RFC 7301), by what the cluster is set to. */
export const offers = { auto: ["h2", "http/1.1"], http1: [], http2: ["h2"], http3: [], tcp: [], udp: [], fastcgi: [] } as const

function compileDialer(settings: ClusterConfig, deps: CompileDeps): Dialer {
  const { tls, proxyProtocol } = settings
  const open = deps.dial ?? dial
  const alpn = settings.proxyProtocol === null ? offers[settings.protocol] : []
  const client = tls === null ? null : new ClientTls({ ...readClientTlsFiles(tls), verify: tls.verify, minVersion: tls.minVersion, alpn })
  return (peer: Peer, timeoutMs: number, handler: DialHandler, x: Exchange): DialHandle => {
    const target = peer.path === "" ? { host: peer.address, port: peer.port } : { path: peer.path }
    const serverName = tls === null ? "" : (tls.serverName ?? peer.host)
    const preface = proxyProtocol === null ? null : prefaceOf(proxyProtocol, x)
    return open(target, { time: deps.time, timeoutMs, tls: client, serverName, preface }, handler)
  }
}

/** Datagrams in the shape of a connection. */
function compileUdpDialer(deps: CompileDeps): Dialer {
  if (deps.dial !== undefined) {
    const { dial: open } = deps
    return (peer, timeoutMs, handler) => open({ host: peer.address, port: peer.port }, { time: deps.time, timeoutMs }, handler)
  }
  return (peer, _timeoutMs, handler) => dialUdpWire({ host: peer.address, port: peer.port }, handler)
}

function compileQuicDialer(settings: ClusterConfig, deps: CompileDeps): ClusterQuicDialer {
  const { tls } = settings
  const client = new QuicClientTls(tls === null ? {} : { ...readClientTlsFiles(tls), verify: tls.verify })
  const { time } = deps
  return (peer, timeoutMs, handler) => {
    const serverName = tls?.serverName ?? peer.host
    return dialQuic({ host: peer.address, port: peer.port }, { time, timeoutMs, keepAliveMs: KEEP_ALIVE_MS, tls: client, serverName }, handler)
  }
}

function prefaceOf(version: "v1" | "v2", x: Exchange): Uint8Array {
  const info = x.down === null ? null : x.down.info
  const known = info !== null && ipFamily(x.clientAddress) !== 0
  const source = known ? { address: x.clientAddress, port: x.clientAddress === x.peerAddress ? info.remotePort : 0 } : null
  const destination = known ? { address: info.localAddress, port: info.localPort } : null
  return encodePreface(version, source, destination)
}
