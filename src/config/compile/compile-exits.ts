import { type Fault, FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, notesOf, type Step } from "../../flow/index.ts"
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

/** Chooses and notes the exit, before any other filter can lose the field that names it. Inside a tunnel that we opened it is the tunnel's. */
export function exitStep(choice: ExitChoice, config: Config): Step {
  const known = new Set(exitLabels(choice, config))
  const { header } = choice
  return x => {
    const kept = x.notes?.inside === true && x.notes.exit !== "" && known.has(x.notes.exit)
    const label = kept ? x.notes!.exit : chooseExit(choice, x)
    if (header !== null) x.request.removeName(header)
    if (!known.has(label)) {
      x.fault = FAULT.exitUnknown
      return FAULT_VERDICT
    }
    notesOf(x).exit = label
    return NEXT
  }
}

/** Noted behind the exit's label, if there is one, where requests went past parents that are down. No label looks like it. */
const DIRECT = "(direct)"
const down: ReadonlySet<Fault | null> = new Set([FAULT.noPeer, FAULT.connectRefused, FAULT.connectFailed, FAULT.connectTimeout])

/** Through parents, and past them where none of them is there. One that answers and refuses has the last word. */
export function orDirect(via: ClusterSteps, straight: ClusterSteps): ClusterSteps {
  const isDirect = (x: Exchange): boolean => x.notes?.exit.endsWith(DIRECT) === true
  const turn = (x: Exchange): void => {
    via.finish(x)
    x.attempt = null
    x.peer = null
    x.attempts = 0
    const notes = notesOf(x)
    notes.exit = notes.exit === "" ? DIRECT : `${notes.exit} ${DIRECT}`
  }
  return {
    peer(x) {
      if (isDirect(x)) return straight.peer(x)
      const verdict = via.peer(x)
      if (verdict !== FAULT_VERDICT || !down.has(x.fault)) return verdict
      turn(x)
      x.fault = null
      return straight.peer(x)
    },
    forward: x => (isDirect(x) ? straight : via).forward(x),
    judge: x => (isDirect(x) ? straight : via).judge(x),
    finish: x => (isDirect(x) ? straight : via).finish(x),
    retry(x) {
      if (isDirect(x)) return straight.retry(x)
      if (via.retry(x)) return true
      // No connection was made, so nothing of the request has been sent.
      if (!down.has(x.fault)) return false
      turn(x)
      return true
    },
  }
}

/** The steps of whichever exit was chosen. */
export function exitSteps(byLabel: ReadonlyMap<string, ClusterSteps>): ClusterSteps {
  const of = (x: Exchange): ClusterSteps | undefined => byLabel.get(labelOf(x))
  return {
    peer: x => of(x)!.peer(x),
    forward: x => of(x)!.forward(x),
    judge: x => of(x)!.judge(x),
    // It may have ended before it chose.
    finish: x => of(x)?.finish(x) ?? NEXT,
    retry: x => of(x)!.retry(x),
  }
}

function labelOf({ notes }: Exchange): string {
  const exit = notes?.exit ?? ""
  return exit.endsWith(` ${DIRECT}`) ? exit.slice(0, -DIRECT.length - 1) : exit
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
