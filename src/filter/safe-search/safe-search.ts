import { z } from "zod"
import { field, hostNameFault } from "../../base/index.ts"
import { type Exchange, NEXT, notesOf, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { defineFilter, type Filter, type FilterDeps } from "../../plugin/index.ts"
import { type Engine, engineNames, engines, isEnding, videos } from "./engines.ts"
import { withParameter } from "./with-parameter.ts"

const hostSchema = z
  .string()
  .toLowerCase()
  .refine(name => hostNameFault(name) === null, "expected the name of a host such as search.example")

const options = z.strictObject({
  engines: field(z.array(z.enum(engineNames)), engineNames, `Search engines that are made strict: ${engineNames.join(", ")}.`),
  videos: field(z.enum(["strict", "moderate", "off"]), "moderate", "Restricted mode of YouTube."),
  also: field(
    z.record(hostSchema, hostSchema),
    {},
    "Other hosts, and the name to dial instead of each: what an engine publishes that is not in the list.",
  ),
})

type Options = z.output<typeof options>

/** What is done for the requests of a host. */
interface Change {
  readonly name: string
  readonly strict: string
  readonly parameter: Engine["parameter"]
  /** Value of YouTube-Restrict, "" = none. */
  readonly field: string
}

/** What the client named, while another name is dialled. */
interface Named {
  readonly host: string
  readonly authority: string
}

class SafeSearch {
  private readonly byHost = new Map<string, Change>()
  /** By what stands before the country's ending. */
  private readonly byFront = new Map<string, Change>()
  private readonly slot: number
  private readonly enforced: { add(n: number): void }

  constructor(settings: Options, deps: FilterDeps) {
    for (const engine of engines) if (settings.engines.includes(engine.name)) this.add(engine.hosts, { ...engine, field: "" })
    if (settings.videos !== "off") {
      const { name, value } = videos[settings.videos]
      this.add(videos.hosts, { name: "youtube", strict: name, parameter: null, field: value })
    }
    for (const [host, strict] of Object.entries(settings.also)) this.add([host], { name: host, strict, parameter: null, field: "" })
    this.slot = deps.slot()
    this.enforced = deps.counter("safe_search_enforced", "Requests and tunnels to search engines that were made strict.")
  }

  request(x: Exchange): Verdict {
    const change = this.changeOf(x.host)
    if (change === null) return NEXT
    this.enforced.add(1)
    notesOf(x).rule ||= `safe-search:${change.name}`
    const { parameter } = change
    if (x.method !== "CONNECT" && change.field !== "") {
      x.request.removeName(videos.field.toLowerCase())
      x.request.append(videos.field, change.field)
    } else if (x.method !== "CONNECT" && parameter !== null) x.query = withParameter(x.query, parameter)
    else if (change.strict !== "") this.dialOther(x, change.strict)
    return NEXT
  }

  /** It is dialled, or it is not: from here on it is what the client named again, for log and reports. */
  restore(x: Exchange): void {
    const named = x.slots[this.slot] as Named | undefined
    if (named === undefined) return
    x.slots[this.slot] = undefined
    x.host = named.host
    x.authority = named.authority
  }

  explain(x: Exchange): readonly string[] {
    const change = this.changeOf(x.host)
    if (change === null) return []
    if (x.method === "CONNECT") return [`${change.name}: dials ${change.strict} instead`]
    if (change.field !== "") return [`${change.name}: sends ${videos.field}: ${change.field}`]
    return [
      change.parameter === null
        ? `${change.name}: dials ${change.strict} instead`
        : `${change.name}: searches get ${change.parameter.name}=${change.parameter.value}`,
    ]
  }

  private add(hosts: readonly string[], change: Change): void {
    for (const host of hosts) {
      if (host.endsWith(".*")) this.byFront.set(host.slice(0, -2), change)
      else this.byHost.set(host, change)
    }
  }

  private changeOf(host: string): Change | null {
    const known = this.byHost.get(host)
    if (known !== undefined) return known
    // `www.google.co.uk`: what stands before the first dot, or the second, and a country's ending behind it.
    const first = host.indexOf(".")
    if (first < 0) return null
    return this.atDot(host, first) ?? this.atDot(host, host.indexOf(".", first + 1))
  }

  private atDot(host: string, dot: number): Change | null {
    const change = dot < 0 ? undefined : this.byFront.get(host.substring(0, dot))
    return change !== undefined && isEnding(host.substring(dot + 1)) ? change : null
  }

  /** The strict name's servers answer for the one that was asked for, whose TLS name and Host stay. A parent is asked for the strict name, too. */
  private dialOther(x: Exchange, strict: string): void {
    if (x.method !== "CONNECT") {
      notesOf(x).dials = strict
      return
    }
    const named: Named = { host: x.host, authority: x.authority }
    x.slots[this.slot] = named
    x.host = strict
    x.authority = `${strict}:${x.port}`
    // For a parent, which would find two names in one request.
    if (x.request.has(NAME.host)) x.request.set(NAME.host, "Host", x.authority)
  }
}

export default defineFilter<Options>({
  name: "safe-search",
  summary:
    "Has search engines and YouTube answer in their strict modes: tunnels reach the name that each publishes for that, requests that can be read get its parameter or field.",
  options: z.prefault(options, {}),
  build(settings, deps): Filter {
    const filter = new SafeSearch(settings, deps)
    return {
      request: x => filter.request(x),
      response(x): Verdict {
        filter.restore(x)
        return NEXT
      },
      log: x => filter.restore(x),
      describe: () => `${settings.engines.join(", ")}; videos ${settings.videos}`,
      explain: x => filter.explain(x),
    }
  },
})
