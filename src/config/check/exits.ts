import { probeBind } from "../../net/index.ts"
import { carriesUdp } from "../carries-udp.ts"
import { exitLabels } from "../compile/compile-exits.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import { type ExitConfig, fixedExit } from "../schema/exits.ts"
import type { RouteConfig } from "../schema.ts"
import { unknown } from "./references.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Exits: each leads out in one way that there is, and routes name those that there are. */
export function checkExits(subject: Subject): Finding[] {
  const { config, routeIndex } = subject
  return [
    ...Object.entries(config.exits).flatMap(([label, exit]) => checkExit(["exits", label], exit, subject)),
    ...config.routes.flatMap((route, i) => checkRoute(["routes", routeIndex[i]!], route, subject)),
  ]
}

function checkExit(at: ConfigPath, { via, sources, rotate }: ExitConfig, { declared, raw }: Subject): Finding[] {
  const findings: Finding[] = []
  if (via !== null && sources.length > 0)
    findings.push(error(at, "an exit leads through parents (via) or from addresses of this machine (source), not both"))
  if (via !== null) findings.push(...unknown("cluster", via, declared.clusters, [...at, "via"]))
  const listed = valueAt(raw, [...at, "sources"])
  const offset = Array.isArray(listed) ? sources.length - listed.length : sources.length
  const placeOf = (i: number): ConfigPath => (i < offset ? [...at, "source"] : [...at, "sources", i - offset])
  for (const [i, source] of sources.entries()) if (!isOurs(source)) findings.push(error(placeOf(i), `${source} is no address of this machine`))
  if (rotate !== "request" && sources.length < 2) findings.push(warning([...at, "rotate"], "there is only one way out to take turns with"))
  return findings
}

function isOurs(host: string): boolean {
  try {
    probeBind({ host, port: 0 })
    return true
  } catch {
    return false
  }
}

function checkRoute(at: ConfigPath, route: RouteConfig, subject: Subject): Finding[] {
  const { to } = route
  if (to.kind !== "origin") return []
  const { config, raw } = subject
  const own = [...at, "to", "origin"]
  const findings: Finding[] = []
  const tunnelsUdp = route.upgrade.includes("connect-udp")
  const parents = to.via === null ? undefined : config.clusters[to.via]
  if (parents !== undefined && tunnelsUdp && !carriesUdp(parents))
    findings.push(
      warning([...at, "upgrade"], "of parent proxies only those that are spoken to in http2 or http3 carry UDP: connect-udp is refused here"),
    )
  const hasParents = to.via !== null || (to.exit !== null && exitLabels(to.exit, config).some(label => (config.exits[label]?.via ?? null) !== null))
  if (to.orDirect && !hasParents) findings.push(warning([...own, "orDirect"], "this route goes straight anyway"))
  if (to.exit === null) return findings
  if ((valueAt(raw, [...own, "via"]) ?? null) !== null) findings.push(error([...own, "via"], "via and exit both say where requests leave; keep one"))
  findings.push(...namedLabels(to.exit, [...own, "exit"], raw).flatMap(({ label, path }) => unknown("exit", label, declaredExits(subject), path)))
  const leadsOf = (label: string): ExitConfig[] => {
    const exit = Object.hasOwn(config.exits, label) ? config.exits[label] : undefined
    return exit === undefined || (exit.via !== null && config.clusters[exit.via] === undefined) ? [] : [exit]
  }
  const leads = exitLabels(to.exit, config).flatMap(leadsOf)
  const carries = ({ via, sources }: ExitConfig): boolean => sources.length === 0 && (via === null || carriesUdp(config.clusters[via]!))
  if (to.via === null && tunnelsUdp && !leads.every(carries))
    findings.push(
      warning(
        [...at, "upgrade"],
        "not all of these exits carry UDP: those with sources, and those through parents without http2 or http3, refuse connect-udp",
      ),
    )
  if (to.upgrade?.http === "http3" && leads.some(exit => exit.via !== null || exit.sources.length > 0))
    findings.push(error([...own, "upgrade", "http"], "exits carry no QUIC: take auto, http1 or http2"))
  const cache = route.filters.findIndex(use => use.name === "cache")
  if (cache >= 0 && fixedExit(to.exit) === null)
    findings.push(
      error(
        [...at, "filters", cache],
        "what one exit brought would be served to those of another: give each exit a route of its own, or leave the cache out",
      ),
    )
  return findings
}

type Choice = NonNullable<Extract<RouteConfig["to"], { kind: "origin" }>["exit"]>

function namedLabels(choice: Choice, at: ConfigPath, raw: unknown): { label: string; path: ConfigPath }[] {
  const { user, group } = choice
  const written = typeof valueAt(raw, at) === "string" ? at : [...at, "default"]
  return [
    { label: choice.default, path: written },
    ...Object.entries(user).map(([name, label]) => ({ label, path: [...at, "user", name] })),
    ...Object.entries(group).map(([name, label]) => ({ label, path: [...at, "group", name] })),
  ]
}

/** Also those with a slip inside. */
function declaredExits({ raw, config }: Subject): ReadonlySet<string> {
  const written = valueAt(raw, ["exits"])
  const names = typeof written === "object" && written !== null ? Object.keys(written) : []
  return new Set([...names, ...Object.keys(config.exits)])
}
