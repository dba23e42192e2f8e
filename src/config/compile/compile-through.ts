import type { Exchange } from "../../flow/index.ts"
import { ClientTls, readClientTlsFiles } from "../../net/index.ts"
import {
  type AttemptRules,
  type Cluster,
  clusterSteps,
  ConnectDial,
  connectPlan,
  type Dialer,
  type Inside,
  type Peer,
  SocksDial,
  Through,
  upgradeOf,
} from "../../upstream/index.ts"
import type { Plan } from "../../flow/index.ts"
import type { ClusterConfig, Config } from "../schema.ts"
import { type CompiledClusters, offers, poolOf } from "./compile-clusters.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { rulesOfCluster } from "./compile-route.ts"
import { OriginTls } from "./origin-tls.ts"
import { isSocksKind, loginLine, parentLogin } from "./parent-login.ts"
import { loginSteps } from "./parent-steps.ts"

/** What the ways through parents are made of. */
interface Parts {
  readonly config: Config
  readonly deps: CompileDeps
  readonly clusters: ReadonlyMap<string, Cluster>
}

/** Gives the clusters of parents their ways to origins, and those behind other parents their way to themselves. */
export function compileThrough(config: Config, deps: CompileDeps, { clusters, chains }: CompiledClusters): void {
  const parts = { config, deps, clusters }
  for (const name of parentClusters(config)) {
    const cluster = clusters.get(name)!
    const settings = config.clusters[name]!
    const via = settings.parent?.via ?? null
    if (via !== null) chains.set(name, chainDialer(settings, via, parts))
    const socks = isSocks(settings)
    const pool = poolOf(settings)
    const dialer = socks ? socksDialer(cluster, settings, parts) : connectDialer(cluster, settings, parts)
    cluster.through = new Through({ cluster: name, time: deps.time, pool, all: socks, dialer })
  }
}

/** Clusters that are used as parents, or say that they are some. */
export function parentClusters(config: Config): string[] {
  const named = config.routes.flatMap(({ to }) => (to.kind === "origin" && to.via !== null ? [to.via] : []))
  const exits = Object.values(config.exits).flatMap(({ via }) => (via === null ? [] : [via]))
  const own = Object.entries(config.clusters).flatMap(([name, { parent }]) =>
    parent === null ? [] : parent.via === null ? [name] : [name, parent.via],
  )
  return [...new Set([...named, ...exits, ...own])].filter(name => Object.hasOwn(config.clusters, name))
}

function isSocks({ parent }: ClusterConfig): boolean {
  return parent !== null && isSocksKind(parent.kind)
}

/** What is to stand at the end of a way to the exchange's origin. */
function insideFor(settings: ClusterConfig, { config, deps }: Parts): (x: Exchange, timeoutMs: number) => Inside {
  const overTls = settings.tls !== null
  const byListener = new Map(Object.entries(config.listeners).map(([name, { forward }]) => [name, new OriginTls(forward?.inspect?.upstream ?? null)]))
  return (x, timeoutMs) => {
    const secure = x.scheme === "https" && x.method !== "CONNECT"
    const tls = secure ? byListener.get(x.listener!.name)!.tcp(upgradeOf(x), x.host) : null
    return { time: deps.time, timeoutMs, tls, serverName: x.host, overTls }
  }
}

function socksDialer(cluster: Cluster, settings: ClusterConfig, parts: Parts): Dialer {
  const login = parentLogin(settings.parent) ?? { user: "", password: "" }
  const version = settings.parent!.kind === "socks4a" ? 4 : 5
  const inside = insideFor(settings, parts)
  return (peer, timeoutMs, handler, x) =>
    new SocksDial({ version, login, target: { host: x.host, port: x.port }, inside: inside(x, timeoutMs) }, handler).begin(own =>
      cluster.dialPeer(peer, timeoutMs, own, x),
    )
}

function connectDialer(cluster: Cluster, settings: ClusterConfig, parts: Parts): Dialer {
  const line = loginLine(parentLogin(settings.parent))
  const inside = insideFor(settings, parts)
  const rules: AttemptRules = { ...rulesOfCluster(cluster.name, parts.config), attemptsMax: 1 }
  const plans = new WeakMap<Peer, Plan>()
  const planTo = (peer: Peer): Plan => {
    let plan = plans.get(peer)
    if (plan === undefined) {
      plan = connectPlan(loginSteps(clusterSteps(cluster, { ...rules, only: peer }), cluster, line), cluster.name)
      plans.set(peer, plan)
    }
    return plan
  }
  return (peer, timeoutMs, handler, x) => new ConnectDial(planTo(peer), { host: x.host, port: x.port }, inside(x, timeoutMs), { handler, from: x })
}

/** To a parent behind other parents, which get its name as the config has it. */
function chainDialer(settings: ClusterConfig, via: string, { config, deps, clusters }: Parts): Dialer {
  const outer = clusters.get(via)!
  const line = loginLine(parentLogin(config.clusters[via]!.parent))
  const plan = connectPlan(loginSteps(clusterSteps(outer, rulesOfCluster(via, config)), outer, line), via)
  const { tls, protocol } = settings
  const client =
    tls === null ? null : new ClientTls({ ...readClientTlsFiles(tls), verify: tls.verify, minVersion: tls.minVersion, alpn: offers[protocol] })
  const overTls = config.clusters[via]!.tls !== null
  return (peer, timeoutMs, handler, x) => {
    const inside = { time: deps.time, timeoutMs, tls: client, serverName: tls?.serverName ?? peer.host, overTls }
    return new ConnectDial(plan, { host: peer.host, port: peer.port }, inside, { handler, from: x })
  }
}
