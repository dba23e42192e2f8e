import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, notesOf, type Verdict } from "../../flow/index.ts"
import { type ClusterSteps, type Origins, Sources } from "../../upstream/index.ts"
import type { ExitChoice, ExitConfig } from "../schema/exits.ts"
import type { Config, RouteConfig } from "../schema.ts"

/** The key of an exit's connections to origins among those of all listeners, whose names have no blanks. */
export function exitKey(listener: string, label: string): string {
  return `${listener} exit ${label}`
}

/** The connections to origins of these exits, by listener; "" = those of no exit. */
export function originsOfExit(origins: ReadonlyMap<string, Origins>, label: string): ReadonlyMap<string, Origins> {
  const end = ` exit ${label}`
  const own = [...origins].filter(([name]) => (label === "" ? !name.includes(" ") : name.endsWith(end)))
  return new Map(own.map(([name, one]) => [label === "" ? name : name.slice(0, -end.length), one]))
}

/** Where connections of an exit come from; undefined = the system chooses. */
export function sourcesOf({ sources, rotate, every }: ExitConfig): Sources | undefined {
  return sources.length === 0 ? undefined : new Sources({ addresses: sources, rotate, everyMs: every })
}

/** Labels that a route's requests may leave by. */
export function exitLabels({ header, user, group, default: label }: ExitChoice, config: Config): string[] {
  return header !== null ? Object.keys(config.exits) : [...new Set([...Object.values(user), ...Object.values(group), label])]
}

/** The route as it is when its requests leave by this exit. */
export function routeBy(route: RouteConfig, label: string, config: Config): RouteConfig {
  const { to } = route
  if (to.kind !== "origin") return route
  return { ...route, to: { ...to, via: config.exits[label]?.via ?? null, exit: { header: null, user: {}, group: {}, default: label } } }
}

/** Steps that leave by the exit that is chosen at the first attempt, and note it. */
export function exitSteps(choice: ExitChoice, byLabel: ReadonlyMap<string, ClusterSteps>): ClusterSteps {
  const of = (x: Exchange): ClusterSteps | undefined => (x.notes === null ? undefined : byLabel.get(x.notes.exit))
  return {
    peer(x): Verdict {
      if (x.attempts === 0 && x.peer === null) {
        const label = chooseExit(choice, x)
        if (choice.header !== null) takeHeader(x, choice.header)
        const steps = byLabel.get(label)
        if (steps === undefined) {
          x.fault = FAULT.exitUnknown
          return FAULT_VERDICT
        }
        notesOf(x).exit = label
      }
      return of(x)!.peer(x)
    },
    forward: x => of(x)!.forward(x),
    judge: x => of(x)!.judge(x),
    finish: x => of(x)?.finish(x) ?? NEXT,
    retry: x => of(x)?.retry(x) ?? false,
  }
}

/** Which exit a request leaves by: what it says, then who asks, then the default. */
export function chooseExit({ header, user, group, default: label }: ExitChoice, x: Exchange): string {
  const said = header === null ? undefined : x.request.find(header)
  if (said !== undefined) return said.trim()
  if (x.user !== "" && Object.hasOwn(user, x.user)) return user[x.user]!
  const groups = x.notes?.groups ?? []
  for (const [name, exit] of Object.entries(group)) if (groups.includes(name)) return exit
  return label
}

function takeHeader(x: Exchange, header: string): void {
  x.request.removeName(header)
}
