import { formatSize } from "../../base/index.ts"
import type { ClusterEntry, Status } from "../admin/status.ts"
import { describeProblem } from "../reload.ts"
import { age } from "./age.ts"
import { resilienceText } from "./resilience-text.ts"
import { type Style, table } from "./terminal.ts"

/** The status as people read it. */
export function statusText(status: Status, style: Style): string {
  const parts = [
    head(status, style),
    listeners(status),
    certificates(status, style),
    workers(status),
    ...status.clusters.map(cluster => clusterText(cluster, style)),
  ]
  return parts.filter(part => part !== "").join("\n")
}

function head(status: Status, style: Style): string {
  const state = status.state === "ready" ? style.green(status.state) : style.yellow(status.state)
  const { config } = status
  const lines = [
    `${style.bold(`bothways ${status.version}`)}  ${state}  up ${age(status.uptimeMs)}  pid ${status.pid}  memory ${size(status.rssBytes)}`,
    `config      version ${config.version}, ${config.source}, live since ${config.committedAt}`,
    `connections ${status.connections}, running exchanges ${status.exchanges}`,
  ]
  const last = config.lastReload
  if (last !== null && !last.ok) {
    lines.push(
      style.red(`last reload refused at ${last.at} (${last.trigger}); the old config stays:`),
      ...last.problems.map(problem => `  ${describeProblem(problem)}`),
    )
  }
  return `${lines.join("\n")}\n`
}

function listeners(status: Status): string {
  const rows = status.listeners.map(l => [
    l.name,
    l.bind.join(" "),
    l.tls ? "yes" : "no",
    l.forward ? "forward and reverse" : "reverse",
    String(l.connections),
  ])
  return rows.length === 0 ? "" : table([["LISTENER", "ADDRESS", "TLS", "TAKES", "CONNECTIONS"], ...rows])
}

/** Times to the minute: nobody needs more of them. */
const minute = (iso: string): string => (iso === "" ? "" : `${iso.slice(0, 16).replace("T", " ")}Z`)

function certificates(status: Status, style: Style): string {
  if (status.certificates.length === 0) return ""
  const rows = status.certificates.map(c => [
    c.name + (c.onDemand ? " (on demand)" : ""),
    c.issuing ? `${c.state}, being made` : c.state,
    c.issuer,
    minute(c.validTo),
    minute(c.retryAt === "" ? c.renewAt : c.retryAt),
  ])
  const errors = status.certificates.filter(c => c.lastError !== "").map(c => `${style.yellow(`${c.name}: ${c.lastError}`)}\n`)
  return table([["CERTIFICATE", "STATE", "ISSUER", "UNTIL", "NEXT"], ...rows]) + errors.join("")
}

function workers(status: Status): string {
  const rows = status.workers.map(w => [
    String(w.index),
    w.state,
    String(w.configVersion),
    age(w.aliveMs),
    String(w.restarts),
    `${w.heartbeatAgeMs}ms`,
    String(w.connections),
    String(w.exchanges),
    w.detail === null ? "no answer" : size(w.detail.heapBytes),
  ])
  return table([["WORKER", "STATE", "CONFIG", "AGE", "RESTARTS", "HEARTBEAT", "CONNECTIONS", "EXCHANGES", "HEAP"], ...rows])
}

function clusterText(cluster: ClusterEntry, style: Style): string {
  const rows = cluster.peers.map(p => [
    p.name + (p.backup ? " (backup)" : ""),
    p.host === "" || p.name.startsWith(`${p.host}:`) ? "" : p.host,
    String(p.weight),
    p.health,
    p.available ? "yes" : p.ejectedForMs > 0 ? `ejected, ${age(p.ejectedForMs)} left` : p.draining ? "no, drained by the operator" : "no",
    String(p.inFlight),
    String(p.requests),
    String(p.failures),
  ])
  const summary = `cluster ${style.bold(cluster.name)}: ${cluster.available} of ${cluster.peers.length} peers available\n`
  const unresolved = cluster.unresolved.map(reason => `${style.yellow(reason)}\n`).join("")
  const changed = cluster.changed.length === 0 ? "" : `${style.yellow("not as in the config:")} ${cluster.changed.join("; ")}\n`
  const heading = ["PEER", "FROM", "WEIGHT", "HEALTH", "AVAILABLE", "IN FLIGHT", "REQUESTS", "FAILURES"]
  return summary + unresolved + changed + resilienceText(cluster, style) + (rows.length === 0 ? "" : table([heading, ...rows]))
}

function size(octets: number): string {
  const unit = octets >= 1024 ** 3 ? 1024 ** 3 : octets >= 1024 ** 2 ? 1024 ** 2 : 1024
  return formatSize(Math.round(octets / unit) * unit)
}
