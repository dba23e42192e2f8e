import { formatDuration, formatHostPort } from "../../base/index.ts"
import type { Answer, ClusterFacts, Explanation, FilterFacts, IdentityFacts, PeerFacts, RouteFacts, RuleFacts } from "../../config/index.ts"
import { type Style, table } from "./terminal.ts"

const LABEL = 11

/** The explanation as people read it, in the order in which the proxy decides; its last line says what the client would get. */
export function explanationText(explanation: Explanation, style: Style): string {
  const { rules, route, filters, answer } = explanation
  const parts = [askedText(explanation), rulesText(rules, style), filtersText(filters, style), route === null ? "" : routeText(route, style)]
  return `${parts.filter(part => part !== "").join("\n")}\n${answerText(answer, style)}\n`
}

/** `label      first line`, the others below the first. */
function row(label: string, ...lines: readonly string[]): string {
  return lines.map((line, i) => `${(i === 0 ? label : "").padEnd(LABEL)}${line}\n`).join("")
}

function askedText({ request, listener, parsed, identity }: Explanation): string {
  const kind = [listener.tls ? "TLS" : "", listener.captured ? "captured clients" : listener.forward ? "forward and reverse" : "reverse"]
    .filter(word => word !== "")
    .join(", ")
  const rows = [
    row("request", `${request.method} ${request.target} from ${request.from}, with ${request.fields.join(", ")}`),
    row("listener", `${listener.name} at ${listener.bind.join(" ")} (${kind}); ${listener.because}`),
  ]
  if (parsed !== null) {
    const place = parsed.host === "" ? "no host" : formatHostPort(parsed.host, parsed.port)
    const path = parsed.path === "" ? "" : `, path ${parsed.path}${parsed.query}`
    const seen = parsed.rulePath === parsed.path ? "" : `; rules see ${parsed.rulePath}`
    rows.push(row("read as", `${parsed.scheme}, ${place}${path}${seen}`))
  }
  if (identity !== null) rows.push(row("client", `${identity.client} (${identity.because}); ${userText(identity)}`))
  return rows.join("")
}

function userText({ user, claimed, assumed }: IdentityFacts): string {
  if (assumed === true) return `user ${user}, as you say`
  if (user !== "") return `user ${user}, whose log-in is right`
  return claimed === "" ? "no user" : `Proxy-Authorization says user ${claimed}, which nobody confirmed`
}

function rulesText(rules: readonly RuleFacts[], style: Style): string {
  if (rules.length === 0) return ""
  const tried = rules.filter(rule => rule.result !== "not tried")
  const width = Math.max(...tried.map(rule => rule.name.length))
  const digits = String(tried.length).length
  const lines = tried.map(rule => `  ${mark(rule, style)} ${String(rule.index + 1).padStart(digits)} ${rule.name.padEnd(width)}  ${rule.reason}\n`)
  const left = rules.length - tried.length
  if (left > 0) lines.push(`  ${style.dim(`· ${left === 1 ? "1 more is" : `${left} more are`} not tried`)}\n`)
  return `routes, the first that matches wins\n${lines.join("")}`
}

function mark({ result }: RuleFacts, style: Style): string {
  return result === "wins" ? style.green("✓") : result === "refuses" ? style.red("!") : style.dim("✗")
}

function filtersText(filters: readonly FilterFacts[], style: Style): string {
  if (filters.length === 0) return ""
  const width = Math.max(...filters.map(filter => filter.phase.length))
  const lines = filters.flatMap(({ phase, name, result, says, because = [] }) => {
    const word = result === "passes" || result === "not reached" ? style.dim(result) : style.yellow(result)
    return [`${phase.padEnd(width)}  ${name}: ${word}${says === "" ? "" : ` (${says})`}`, ...because.map(line => `${" ".repeat(width + 4)}${line}`)]
  })
  return row("filters", ...lines)
}

function routeText(route: RouteFacts, style: Style): string {
  const rows = [
    row("route", style.bold(route.name)),
    row("cache", route.cache),
    ...(route.split === null ? [] : [row("split", splitText(route.split, style))]),
    ...destinationRows(route, style),
    row("timeouts", timeoutText(route)),
  ]
  if (route.retry !== null) rows.push(row("retry", ...route.retry.says.split("; ")))
  rows.push(row("body", route.body.says))
  if (route.tls !== undefined) rows.push(row("tls", tlsText(route.tls)))
  if (route.upgrade !== null) rows.push(row("upgrade", route.upgrade.says))
  if (route.fields !== null) rows.push(row("fields", ...fieldLines(route.fields)))
  return rows.join("")
}

function tlsText({ do: word, reason }: NonNullable<RouteFacts["tls"]>): string {
  const what = { inspect: "opened", tunnel: "handed on unread", refuse: "refused" }[word] ?? word
  return `${what} (${reason}), if the client asks for this host in TLS and speaks HTTP there`
}

function splitText({ arm, because, arms }: NonNullable<RouteFacts["split"]>, style: Style): string {
  const shares = arms.map(({ name, share }) => `${name} ${Number((share * 100).toFixed(2))} %`).join(", ")
  return `${arm === null ? "" : `arm ${style.bold(arm)}, `}${because} (shares of the config: ${shares})`
}

function destinationRows({ destination }: RouteFacts, style: Style): string[] {
  if (destination.kind === "cluster") return [clusterRows("to", destination.cluster, style)]
  if (destination.kind !== "origin") return [row("to", `${destination.name}: ${destination.says}`)]
  const { origin, exit, via } = destination
  const rows = [row("to", `origin ${formatHostPort(origin.host, origin.port)} (${origin.scheme})`), row("privacy", origin.privacy)]
  for (const { what, ok, says } of origin.checks) rows.push(row(what, `${ok === null ? "?" : ok ? style.green("✓") : style.red("✗")} ${says}`))
  if (exit !== null) rows.push(row("exit", `${style.bold(exit.label)}, ${exit.because}: ${exit.leads}`))
  if (via !== null) rows.push(clusterRows("by", via, style))
  return rows
}

function clusterRows(label: string, cluster: ClusterFacts, style: Style): string {
  const key = cluster.key === null ? "" : ` of ${cluster.key.from} (${cluster.key.note})`
  const head = `cluster ${style.bold(cluster.name)}${cluster.tls ? " over TLS" : ""}, ${cluster.balancer}${key}`
  const pick = cluster.pick === null ? cluster.because : `${style.bold(cluster.pick)}: ${cluster.because}`
  const rows = table([["", "PEER", "FROM", "WEIGHT", "HEALTH", ""], ...cluster.peers.map(peerCells)])
  const session = cluster.session === "" ? [] : [`session: ${cluster.session}`]
  const parent = cluster.parent === "" ? [] : [cluster.parent]
  return row(label, head, ...parent, ...session, ...cluster.resilience, `→ ${pick}`, ...rows.trimEnd().split("\n"))
}

function peerCells(peer: PeerFacts): string[] {
  return [
    peer.candidate ? "✓" : "-",
    peer.name,
    peer.resolved ? peer.host : "",
    `${peer.weight}${peer.backup ? " backup" : ""}`,
    peer.health,
    peer.note,
  ]
}

function timeoutText({ timeouts }: RouteFacts): string {
  const { upstream, client, tunnelIdle } = timeouts
  const parts = upstream === null ? [] : [`upstream ${words(upstream)}`]
  parts.push(`client ${words(client)}`)
  if (tunnelIdle !== null) parts.push(`silent tunnel ${limit(tunnelIdle)}`)
  return parts.join("; ")
}

function words(times: object): string {
  return Object.entries(times as Record<string, number>)
    .map(([name, ms]) => `${name} ${limit(ms)}`)
    .join(", ")
}

function limit(ms: number): string {
  return ms === 0 ? "none" : formatDuration(ms)
}

function fieldLines({ removed, added }: NonNullable<RouteFacts["fields"]>): string[] {
  const lines = added.map(({ name, value }) => `+ ${name}${value === null ? "" : `: ${value}`}`)
  if (removed.length > 0) lines.push(`- ${removed.join(", ")}`)
  return lines.length === 0 ? ["as they came"] : lines
}

function answerText(answer: Answer, style: Style): string {
  const paint = answer.kind === "fault" ? style.red : answer.kind === "unknown" ? style.yellow : style.green
  return `${"answer".padEnd(LABEL)}${paint(answer.says)}`
}
