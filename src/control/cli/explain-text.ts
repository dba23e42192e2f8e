import { formatDuration } from "../../base/index.ts"
import type {
  Answer,
  ClusterFacts,
  Explanation,
  FieldChanges,
  FilterFacts,
  OriginFacts,
  PeerFacts,
  RouteFacts,
  RuleFacts,
  TimeoutFacts,
} from "../../config/index.ts"
import { type Style, table } from "./terminal.ts"

/** The explanation as people read it: from the request's head to its answer, in the order in which the proxy decides. */
export function explanationText(explanation: Explanation, style: Style): string {
  const { request, listener, parsed, identity, rules, filters, route, answer } = explanation
  const takes = listener.forward ? "forward and reverse" : "reverse"
  const lines = [
    `${style.bold(`${request.method} ${request.target}`)}  from ${request.from}`,
    row("listener", `${listener.name}, ${listener.bind.join(" ")}, ${listener.tls ? "TLS, " : ""}${takes} (${listener.because})`),
  ]
  if (parsed !== null) {
    const seen = parsed.rulePath === parsed.path ? "" : `, rules see ${parsed.rulePath}`
    lines.push(row("read as", `${parsed.scheme} ${parsed.host}:${parsed.port} ${parsed.path}${parsed.query}${seen}${bodyText(parsed.body)}`))
  }
  if (identity !== null) {
    const user = identity.user !== "" ? `, user ${identity.user}` : identity.claimed !== "" ? `, says it is ${identity.claimed}` : ""
    lines.push(row("client", `${identity.client} (${identity.because})${user}`))
  }
  const parts = [
    `${lines.join("\n")}\n`,
    rulesText(rules, style),
    filtersText(filters),
    route === null ? "" : routeText(route),
    answerText(answer, style),
  ]
  return parts.filter(part => part !== "").join("\n")
}

function row(name: string, text: string): string {
  return `${name.padEnd(9)} ${text}`
}

function bodyText(body: "none" | "chunked" | number): string {
  return body === "none" ? "" : body === "chunked" ? ", body in chunks" : `, body of ${body} octets`
}

function rulesText(rules: readonly RuleFacts[], style: Style): string {
  if (rules.length === 0) return ""
  const lines = rules.map(rule => {
    const line = `  ${rule.index} ${rule.name}  ${rule.result}: ${rule.reason}`
    return rule.result === "wins" ? style.green(line) : rule.result === "refuses" ? style.red(line) : style.dim(line)
  })
  return `routes, first match wins\n${lines.join("\n")}\n`
}

function filtersText(filters: readonly FilterFacts[]): string {
  if (filters.length === 0) return ""
  return `filters\n${indent(table([["PHASE", "FILTER", "RESULT", ""], ...filters.map(filter => [filter.phase, filter.name, filter.result, filter.says])]))}`
}

function routeText(route: RouteFacts): string {
  const lines = [row("route", `${route.name}, ${destinationText(route)}`)]
  if (route.cache !== "") lines.push(row("cache", route.cache))
  if (route.fields !== null) lines.push(...fieldLines(route.fields))
  lines.push(row("timeouts", timeoutText(route.timeouts)))
  if (route.retry !== null) lines.push(row("retry", route.retry.says))
  lines.push(row("body", route.body.says))
  if (route.upgrade !== null) lines.push(row("upgrade", route.upgrade.says))
  const { destination } = route
  const cluster = destination.kind === "cluster" ? destination.cluster : destination.kind === "origin" ? destination.via : null
  return `${lines.join("\n")}\n${cluster === null ? "" : clusterText(cluster)}${destination.kind === "origin" ? originText(destination.origin) : ""}`
}

function destinationText({ destination }: RouteFacts): string {
  if (destination.kind === "cluster") return `to cluster ${destination.cluster.name}`
  if (destination.kind === "origin") return `to the origin${destination.via === null ? "" : ` by cluster ${destination.via.name}`}`
  return destination.says
}

function fieldLines({ removed, added }: FieldChanges): string[] {
  const lines = []
  if (removed.length > 0) lines.push(row("removes", removed.join(", ")))
  if (added.length > 0) lines.push(row("adds", added.map(field => (field.value === null ? field.name : `${field.name}: ${field.value}`)).join(", ")))
  return lines
}

function timeoutText({ upstream, client, tunnelIdle }: TimeoutFacts): string {
  const ms = (value: number) => (value === 0 ? "none" : formatDuration(value))
  const up =
    upstream === null
      ? []
      : [`connect ${ms(upstream.connect)}`, `head ${ms(upstream.head)}`, `idle ${ms(upstream.idle)}`, `request ${ms(upstream.request)}`]
  const tunnel = tunnelIdle === null ? [] : [`tunnel idle ${ms(tunnelIdle)}`]
  return [...up, `client write ${ms(client.write)}`, `client body ${ms(client.body)}`, ...tunnel].join(", ")
}

function clusterText(cluster: ClusterFacts): string {
  const key = cluster.key === null ? "" : ` by ${cluster.key.from} (${cluster.key.note})`
  const pick = cluster.pick === null ? cluster.because : `it will be ${cluster.pick}: ${cluster.because}`
  const rows = cluster.peers.map((peer: PeerFacts) => [
    `${peer.name}${peer.backup ? " (backup)" : ""}`,
    peer.host,
    String(peer.weight),
    peer.health,
    peer.candidate ? "yes" : "no",
    peer.note,
  ])
  const head = row("peers", `${cluster.balancer}${key}${cluster.tls ? ", TLS" : ""}; ${pick}`)
  return `${head}\n${indent(table([["PEER", "FROM", "WEIGHT", "HEALTH", "CANDIDATE", ""], ...rows]))}`
}

function originText(origin: OriginFacts): string {
  const checks = origin.checks.map(
    check => `  ${check.what}: ${check.ok === null ? "not known yet" : check.ok ? "allowed" : "refused"}, ${check.says}`,
  )
  return `${[row("origin", `${origin.scheme} ${origin.host}:${origin.port}, privacy ${origin.privacy}`), ...checks].join("\n")}\n`
}

function answerText(answer: Answer, style: Style): string {
  if (answer.kind === "fault") return `${style.red(row("answer", `${answer.status} ${answer.code}: ${answer.says}`))}\n`
  if (answer.kind === "reply") return `${style.bold(row("answer", `${answer.status}: ${answer.says}`))}\n`
  return `${style.bold(row("answer", answer.says))}\n`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ")
}
