import { assert } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { parseBasic } from "../../filter/index.ts"
import { BODY_CHUNKED, BODY_LENGTH, NAME } from "../../http/index.ts"
import { REFUSE_PATH } from "../../route/index.ts"
import type { Cluster } from "../../upstream/index.ts"
import { clusterOf } from "../compile/compile-route.ts"
import type { Stage } from "../compile/step-list.ts"
import type { Config, RouteConfig } from "../schema.ts"
import { answerOf } from "./answer-facts.ts"
import type { ChosenListener } from "./choose-listener.ts"
import { type AskedCluster, askCluster, clusterFacts } from "./cluster-facts.ts"
import type { DryPeers } from "./dry-peers.ts"
import type { DryRun, End } from "./dry-run.ts"
import type { ClusterFacts, Destination, Explanation, IdentityFacts, ParsedFacts, RouteFacts, RuleFacts } from "./explanation.ts"
import { fieldChanges } from "./field-changes.ts"
import { exitFacts, routeLeft } from "./exit-facts.ts"
import { originFacts } from "./origin-facts.ts"
import { armRoute, splitFacts } from "./split-facts.ts"
import { bodyFacts, cacheFacts, localText, retryFacts, timeoutFacts, upgradeFacts } from "./route-facts.ts"
import { plain, shown } from "./shown.ts"

/** Takes the facts of a request on its way, each where its decision is made, and all of them together at the end. */
export class Findings {
  facts: Omit<Explanation, "request" | "listener"> | null = null
  private readonly config: Config
  private readonly listener: ChosenListener
  private readonly peers: DryPeers
  private parsed: ParsedFacts | null = null
  private claimed = ""
  private upgrade = ""
  private rules: RuleFacts[] = []
  /** What the table's definition says, undefined = it was not asked. */
  private traced: number | undefined
  private asked: AskedCluster | null = null

  constructor(config: Config, listener: ChosenListener, peers: DryPeers) {
    this.config = config
    this.listener = listener
    this.peers = peers
  }

  /** A step is about to run. */
  before({ phase, route }: Stage, x: Exchange, run: DryRun): void {
    if (this.parsed === null) this.takeRequest(x)
    if (phase === "route") this.takeRules(x, run)
    else if (phase === "peer") {
      this.upgrade = x.upgrade
      const cluster = clusterFor(armRoute(this.config.routes[route]!, x), run)
      if (cluster !== null) this.asked = askCluster(cluster, x)
    }
  }

  private takeRequest(x: Exchange): void {
    this.parsed = {
      scheme: this.listener.config.forward === null ? (this.listener.config.tls === null ? "http" : "https") : x.scheme,
      host: shown(x.host),
      port: x.port,
      path: shown(x.path),
      rulePath: shown(x.rulePath),
      query: shown(x.query),
      body: x.requestBody === BODY_LENGTH ? x.requestLength : x.requestBody === BODY_CHUNKED ? "chunked" : "none",
    }
    this.claimed = plain(parseBasic(x.request.get(NAME.proxyAuthorization))?.user ?? "")
    this.upgrade = x.upgrade
  }

  private takeRules(x: Exchange, run: DryRun): void {
    const seen: { index: number; matched: boolean; reason: string }[] = []
    const traced = run.snapshot.table.trace(x, (index, matched, reason) => seen.push({ index, matched, reason }))
    const deciding = seen.findIndex(({ matched }) => matched)
    this.traced = traced
    const nameOf = (index: number): string => this.config.routes[index]!.name
    this.rules = seen.map(({ index, matched, reason }, at) => {
      const name = nameOf(index)
      if (deciding >= 0 && at > deciding) return { index, name, result: "not tried", reason: `${nameOf(deciding)} decides` }
      return { index, name, result: matched ? (traced === REFUSE_PATH ? "refuses" : "wins") : "fails", reason: shown(reason) }
    })
  }

  /** The way has ended; the exchange is as the end left it. */
  atEnd(end: End, x: Exchange, run: DryRun): void {
    const index = x.plan?.route.index ?? -1
    assert(this.traced === undefined || index === Math.max(this.traced, -1), "the table finds what its definition says")
    const written = this.config.routes[index]
    const route = written && routeLeft(armRoute(written, x), x, this.config)
    const destination = route === undefined ? null : this.destination(route, x, run)
    const { turn } = run.journey
    this.facts = {
      parsed: this.parsed,
      identity: this.parsed === null ? null : this.identity(x),
      rules: this.rules,
      filters: run.journey.filters({ listener: this.listener.name, route: index, arm: armOf(written, route) }, end.kind === "waits"),
      route: route === undefined ? null : this.routeFacts(route, index, x, destination!, end.kind === "dials" || end.kind === "resolves"),
      answer: answerOf(end, x, turn, destination),
    }
  }

  private identity(x: Exchange): IdentityFacts {
    const because = x.clientAddress === x.peerAddress ? "the connection" : `what the trusted hop ${x.peerAddress} says`
    return { client: x.clientAddress, because, user: plain(x.user), claimed: this.claimed }
  }

  private routeFacts(route: RouteConfig, index: number, x: Exchange, destination: Destination, isSent: boolean): RouteFacts {
    const { config, listener } = this
    const plan = x.plan!
    const upgrade = upgradeFacts(route, this.upgrade)
    const tunnel = x.method === "CONNECT" || (upgrade !== null && this.upgrade !== "")
    return {
      name: route.name,
      index,
      cache: cacheFacts(route, config, x),
      split: splitFacts(config.routes[index]!, x),
      destination,
      timeouts: timeoutFacts(route, config, listener.config, tunnel ? plan.tunnelIdleMs : null),
      retry: retryFacts(route, config, x.method),
      body: bodyFacts(x, plan.bodyBytesMax),
      ...(x.notes === null || x.notes.tls === "" ? {} : { tls: { do: x.notes.tls, reason: x.notes.tlsReason } }),
      upgrade,
      fields: isSent ? fieldChanges(x.request) : null,
    }
  }

  private destination(route: RouteConfig, x: Exchange, run: DryRun): Destination {
    const { to } = route
    const { forward } = this.listener.config
    // A split has been made an arm of itself.
    if (to.kind === "cluster" || to.kind === "split") return { kind: "cluster", cluster: this.cluster(route, x, run)! }
    if (to.kind !== "origin") return { kind: to.kind, name: to.name, says: localText(to) }
    const checks = run.snapshot.origins.get(this.listener.name)?.parts.checks ?? null
    return {
      kind: "origin",
      origin: originFacts(x, { forward, checks, isVia: to.via !== null }),
      exit: exitFacts(this.config.routes[x.plan!.route.index] ?? route, x, this.config),
      via: this.cluster(route, x, run),
    }
  }

  private cluster(route: RouteConfig, x: Exchange, run: DryRun): ClusterFacts | null {
    const cluster = clusterFor(route, run)
    if (cluster === null) return null
    const { name } = cluster
    const asked = this.asked ?? askCluster(cluster, x)
    const picked = this.asked === null ? "" : x.peerName
    return clusterFacts({ cluster, config: this.config.clusters[name]!, peers: this.peers.byCluster[name]!, asked, picked })
  }
}

/** Cluster of the arm whose steps count, "" = the route is no split. */
function armOf(written: RouteConfig | undefined, route: RouteConfig | undefined): string {
  return written === route || route?.to.kind !== "cluster" ? "" : route.to.cluster
}

function clusterFor(route: RouteConfig, run: DryRun): Cluster | null {
  return run.snapshot.clusters.get(clusterOf(route)) ?? null
}
