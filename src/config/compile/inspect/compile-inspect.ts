import { LeafContexts } from "../../../net/index.ts"
import type { Origins } from "../../../upstream/index.ts"
import type { InspectConfig } from "../../schema/forward-inspect.ts"
import type { Config } from "../../schema.ts"
import type { CompileDeps } from "../compile-deps.ts"
import { answerDeps, sharedOf } from "../filters.ts"
import { compileMatch } from "../match.ts"
import { authorityFiles, readAuthority } from "./authority-files.ts"
import { Inspector } from "./inspector.ts"
import { compileNeverOpen } from "./never-open.ts"
import { pinnedMemory, PinnedSites } from "./pinned-sites.ts"
import { SiteProbe } from "./site-probe.ts"

/** Counters of decisions by name, with what they count. */
export const inspectCounters = {
  tunnel: { name: "tls_tunnels", help: "Tunnels that forward.inspect handed on unread." },
  inspect: { name: "tls_opened", help: "Tunnels that forward.inspect opened." },
  refuse: { name: "tls_refused", help: "Tunnels that forward.inspect refused." },
} as const

/** The inspectors of a config by listener. Throws when an authority cannot be used. */
export function compileInspectors(
  config: Config,
  parts: Omit<Surroundings, "config" | "former">,
  former: ReadonlyMap<string, Inspector> | undefined,
): Map<string, Inspector> {
  const out = new Map<string, Inspector>()
  for (const [name, { forward }] of Object.entries(config.listeners))
    if (forward?.inspect) out.set(name, compileInspector(name, forward.inspect, { ...parts, config, former: former?.get(name) }))
  return out
}

interface Surroundings {
  readonly config: Config
  readonly deps: CompileDeps
  readonly origins: ReadonlyMap<string, Origins>
  readonly former: Inspector | undefined
}

function compileInspector(listener: string, inspect: InspectConfig, { config, deps, origins, former }: Surroundings): Inspector {
  const open = deps.openInside ?? null
  const counters = Object.entries(inspectCounters).map(
    ([word, { name, help }]) => [word, answerDeps(deps, `listeners/${listener}`).counter(name, help)] as const,
  )
  const byWord = new Map(counters)
  const memory = inspect.pinned === null ? null : pinnedMemory(listener, inspect.pinned)
  return new Inspector({
    listener,
    config: inspect,
    rules: inspect.rules.map((rule, index) => ({
      holds: compileMatch(rule.match, deps).holds,
      certificate: rule.certificate,
      decision: { do: rule.do, reason: rule.reason ?? `rule-${index + 1}` },
    })),
    neverOpen: compileNeverOpen(inspect.neverOpen, deps.lists),
    pinned: memory === null ? null : new PinnedSites(sharedOf(deps)(memory.key, memory.bytes), inspect.pinned!),
    leaves: open === null ? null : leavesFor(inspect, config, former),
    open,
    probe: open === null || inspect.rules.every(rule => rule.certificate === null) ? null : new SiteProbe(origins.get(listener)!.parts),
    counted: word => byWord.get(word)!.add(1),
  })
}

/** What was made stays as long as the authority does. */
function leavesFor(inspect: InspectConfig, config: Config, former: Inspector | undefined): LeafContexts {
  const authority = readAuthority(authorityFiles(inspect, config.acme.directory))
  const known = former?.parts.leaves ?? null
  return known?.isOf(authority, inspect.leavesMax) ? known : new LeafContexts(authority, inspect.leavesMax)
}
