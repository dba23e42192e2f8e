import { formatSize } from "../../../base/index.ts"
import type { SharedCounts } from "../../../upstream/index.ts"
import type { Status } from "../../admin/status.ts"
import type { Leak } from "../../tunnel/leaks.ts"
import { age } from "../age.ts"
import type { Style } from "../terminal.ts"

/** What `bothways tunnel status` knows, and prints with --json. */
export interface TunnelStatus {
  readonly listens: readonly string[]
  /** As `--via` named it. */
  readonly exit: string
  readonly connected: boolean
  /** Why the exit cannot be reached; "" = it can, or nobody has tried. */
  readonly away: string
  readonly connections: SharedCounts["connections"]
  /** Connections to the exit that followed another one. */
  readonly reconnects: number
  readonly tunnels: number
  readonly leaks: readonly Leak[]
}

/** Out of what the instance says of itself; null = it is no tunnel. */
export function tunnelStatusOf(status: Status, exit: string, leaks: readonly Leak[]): TunnelStatus | null {
  const listener = status.listeners.find(({ name }) => name === "tunnel")
  const details = status.workers.flatMap(worker => (worker.detail === null ? [] : [worker.detail]))
  const shared = details.flatMap(detail => (detail.pools["exit"] === undefined ? [] : [detail.pools["exit"].shared]))
  if (listener === undefined || shared.length === 0) return null
  const connections = shared.flatMap(each => each.connections)
  const opened = shared.reduce((sum, each) => sum + each.opened, 0)
  return {
    listens: listener.bind,
    exit,
    connected: connections.length > 0,
    away: shared.find(each => each.away !== "")?.away ?? "",
    connections,
    reconnects: Math.max(0, opened - Math.max(1, connections.length)),
    tunnels: details.reduce((sum, each) => sum + each.tunnels, 0),
    leaks,
  }
}

export function tunnelText(tunnel: TunnelStatus, style: Style): string {
  const lines = [`${style.bold("tunnel")}  ${tunnel.listens.join(" ")} → ${tunnel.exit}  ${stateOf(tunnel, style)}`]
  for (const each of tunnel.connections) {
    const secured = each.tls === null ? "TLS 1.3 in QUIC" : each.tls.version.replace("TLSv", "TLS ")
    const certificate = each.tls === null || each.tls.names === "" ? "" : `, certificate ${each.tls.names} until ${each.tls.validTo.slice(0, 10)}`
    lines.push(`  ${each.peer}  ${each.protocol}, ${secured}${certificate}`)
    lines.push(`  since ${age(each.ageMs)}: ${each.streams} open, ${each.served} served, ${size(each.octetsIn)} in, ${size(each.octetsOut)} out`)
  }
  lines.push(`  tunnels open ${tunnel.tunnels}, reconnects ${tunnel.reconnects}`, "", style.bold("What gets past it on this machine:"))
  for (const leak of tunnel.leaks) {
    lines.push(`  ${paint(leak, style)}  ${leak.what.padEnd(11)}  ${leak.says}`)
    if (leak.todo !== "") lines.push(`${" ".repeat(24)}→ ${leak.todo}`)
  }
  return `${lines.join("\n")}\n`
}

function stateOf({ connected, away }: TunnelStatus, style: Style): string {
  if (connected) return style.green("connected")
  return away === ""
    ? style.yellow("not connected: the next request connects")
    : style.red(`the exit is away (${away}): requests wait, then fail; nothing goes out otherwise`)
}

function paint({ state }: Leak, style: Style): string {
  const word = state.padEnd(7)
  return state === "closed" ? style.green(word) : state === "open" ? style.red(word) : style.yellow(word)
}

function size(octets: number): string {
  if (octets < 1024) return `${octets}B`
  const unit = octets >= 1024 ** 3 ? 1024 ** 3 : octets >= 1024 ** 2 ? 1024 ** 2 : 1024
  return formatSize(Math.round(octets / unit) * unit)
}
