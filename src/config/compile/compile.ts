import type { Plan } from "../../flow/index.ts"
import { dial, dialQuic, dialUdp } from "../../net/index.ts"
import { asksToBind, CONNECT_UDP } from "../../http/index.ts"
import { OriginTls } from "./origin-tls.ts"
import { MetricsRegistry } from "../../observe/index.ts"
import { checkOrigin, checkTarget, compileOriginRules, compileRoutes, type OriginRules, type RouteInput, type TargetKind } from "../../route/index.ts"
import { type PoolSettings, type OriginChecks, Origins } from "../../upstream/index.ts"
import { httpChallengeFolder } from "../automatic-names.ts"
import { matchers } from "../features.gen.ts"
import { listsNow } from "../lists/name-lists.ts"
import type { ExitConfig } from "../schema/exits.ts"
import type { Config, ForwardConfig } from "../schema.ts"
import { compileClusters, KEEP_ALIVE_MS } from "./compile-clusters.ts"
import { ClusterHandles } from "./cluster-handles.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { compileEntry } from "./compile-entry.ts"
import { compileInspectors } from "./inspect/compile-inspect.ts"
import { compileInsideEntry } from "./inspect/inside-entry.ts"
import { exitKey, sourcesOf } from "./compile-exits.ts"
import { compileRawRoute } from "./compile-raw-route.ts"
import { standInsOf } from "./dns-entry.ts"
import { compileRoute, type RouteParts } from "./compile-route.ts"
import { compileThrough } from "./compile-through.ts"
import { matcherDeps } from "./match.ts"
import { readingsOf } from "./readings.ts"
import type { Snapshot } from "./snapshot.ts"

/** Connections to origins of a forward listener. */
const ORIGIN_POOL: PoolSettings = {
  idleMax: 256,
  idleTimeoutMs: 30_000,
  connectionsMax: 0,
  requestsMax: 0,
  waitTimeoutMs: 5000,
  waitersMax: 1024,
  headBytesMax: 256 * 1024,
  fieldsMax: 512,
  streamsMax: 100,
  protocol: "http1",
  secure: false,
}

/** Turns a valid config into what the data path runs. Throws when a file that it needs cannot be used; then nothing has changed. */
export function compileSnapshot(version: number, config: Config, given: CompileDeps, former: Snapshot | null): Snapshot {
  const reading = readingsOf(config, given)
  const deps = { ...given, reading, lists: given.lists ?? listsNow(config) }
  const registry = deps.layout === null ? null : MetricsRegistry.restore(deps.layout)
  const compiledClusters = compileClusters(config, deps, registry)
  const { clusters } = compiledClusters
  compileThrough(config, deps, compiledClusters)
  const handles = new ClusterHandles(config, clusters, deps)
  const origins = compileOrigins(config, deps, former)
  const inspectors = compileInspectors(config, { deps, origins }, former?.inspectors)
  const table = compileRoutes(config.routes.map(routeInput), matchers, matcherDeps(deps))
  const partsOf = (route: Config["routes"][number]): RouteParts => ({
    config,
    deps,
    clusters,
    handles,
    origins,
    inspectors,
    metrics: registry?.route(route.name) ?? 0,
    cacheMetrics: registry?.cache(route.name) ?? 0,
  })
  const plans: Plan[] = config.routes.map((route, index) => compileRoute(route, index, partsOf(route)))
  const raw = (protocol: "tcp" | "udp") => config.routes.map((route, index) => compileRawRoute(route, index, partsOf(route), protocol))
  const rawPlans = { tcp: raw("tcp"), udp: raw("udp") }
  const parts = {
    table,
    plans,
    rawPlans,
    routes: config.routes,
    deps,
    handles,
    unrouted: registry?.unrouted ?? 0,
    challenges: httpChallengeFolder(config),
    origins,
    standIns: standInsOf(config, deps),
  }
  const entries = new Map(Object.entries(config.listeners).map(([name, listener]) => [name, compileEntry(name, listener, parts)]))
  const insideEntries = new Map([...inspectors.keys()].map(name => [name, compileInsideEntry(name, config.listeners[name]!, parts)]))
  return { version, config, table, plans, entries, insideEntries, inspectors, clusters, compiledClusters, origins }
}

export function routeInput(route: Config["routes"][number]): RouteInput {
  const match: Record<string, unknown> = Object.fromEntries(route.match.rules.map(rule => [rule.name, rule.options]))
  if (route.match.listeners.length > 0) match.listener = route.match.listeners
  return { match, when: route.match.when, encodedSlashes: route.encodedSlashes }
}

function compileOrigins(config: Config, deps: CompileDeps, former: Snapshot | null): Map<string, Origins> {
  const own = { binds: ownBinds(config), addresses: deps.ownAddresses }
  const out = new Map<string, Origins>()
  for (const [name, listener] of Object.entries(config.listeners)) {
    if (listener.forward === null) continue
    const old = former?.origins.get(name)
    const same = JSON.stringify(former?.config.listeners[name]?.forward) === JSON.stringify(listener.forward)
    // Its rules also hold our own ports: unchanged only when no listener moved.
    const binds = former !== null && JSON.stringify(ownBinds(former.config)) === JSON.stringify(own.binds)
    out.set(name, old !== undefined && same && binds ? old : buildOrigins(listener.forward, own, deps))
    for (const [label, exit] of Object.entries(config.exits)) {
      if (exit.via !== null) continue
      const key = exitKey(name, label)
      const before = former?.origins.get(key)
      const alike = same && binds && JSON.stringify(former?.config.exits[label]) === JSON.stringify(exit)
      out.set(key, before !== undefined && alike ? before : buildOrigins(listener.forward, own, deps, exit))
    }
  }
  return out
}

function buildOrigins(
  forward: ForwardConfig,
  own: { binds: { host: string; port: number }[]; addresses: readonly string[] },
  deps: CompileDeps,
  exit: ExitConfig | null = null,
): Origins {
  const rules = compileOriginRules(forward, own)
  const open = deps.dial ?? dial
  const sources = exit === null ? undefined : sourcesOf(exit)
  const tls = new OriginTls(forward.inspect?.upstream ?? null)
  return new Origins({
    time: deps.time,
    resolver: deps.resolver,
    pool: ORIGIN_POOL,
    sources,
    checks: {
      target: targetCheck(rules),
      address: (address, port) => checkOrigin(address, port, rules),
    },
    dialer({ address, port, tlsName, timeoutMs, upgrade, source }, handler) {
      const secure = tlsName === "" ? null : tls.tcp(upgrade, tlsName)
      return open({ host: address, port }, { time: deps.time, timeoutMs, tls: secure, serverName: tlsName, source }, handler)
    },
    udpDialer: sources === undefined ? (deps.dialUdp ?? dialUdp) : undefined,
    quicDialer: ({ address, port, tlsName, timeoutMs, upgrade }, handler) =>
      dialQuic(
        { host: address, port },
        { time: deps.time, timeoutMs, keepAliveMs: KEEP_ALIVE_MS, tls: tls.quic(upgrade), serverName: tlsName },
        handler,
      ),
  })
}

/** Judges the target of a request; the last one that passed is remembered, since a client asks for the same origin again and again. */
function targetCheck(rules: OriginRules): OriginChecks["target"] {
  let host = ""
  let port = -1
  let kind: TargetKind = "absolute"
  return x => {
    const asked = x.method === "CONNECT" || asksToBind(x) || x.notes?.inside === true ? "connect" : x.upgrade === CONNECT_UDP ? "udp" : "absolute"
    if (x.port === port && asked === kind && x.host === host) return null
    const fault = checkTarget(x.host, x.port, asked, rules)
    if (fault !== null) return fault
    host = x.host
    port = x.port
    kind = asked
    return null
  }
}

function ownBinds(config: Config): { host: string; port: number }[] {
  const binds = Object.values(config.listeners).flatMap(listener => listener.bind)
  const admin = config.admin === null ? [] : [config.admin.bind]
  return [...binds, ...admin].filter((bind): bind is { host: string; port: number } => "port" in bind).map(({ host, port }) => ({ host, port }))
}
