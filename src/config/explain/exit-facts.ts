import type { Exchange } from "../../flow/index.ts"
import { routeBy } from "../compile/compile-exits.ts"
import type { ParentConfig } from "../schema/parent.ts"
import { type ExitChoice, fixedExit } from "../schema/exits.ts"
import type { Config, RouteConfig } from "../schema.ts"
import type { ExitFacts } from "./explanation.ts"
import { plain } from "./shown.ts"

/** The route as the request leaves it: by its exit, where one was chosen. */
export function routeLeft(route: RouteConfig, x: Exchange, config: Config): RouteConfig {
  const label = x.notes?.exit ?? ""
  return route.to.kind !== "origin" || route.to.exit === null || label === "" ? route : routeBy(route, label, config)
}

/** Which exit it is, and why; null = none. */
export function exitFacts({ to }: RouteConfig, x: Exchange, config: Config): ExitFacts | null {
  const label = x.notes?.exit ?? ""
  const exit = config.exits[label]
  if (to.kind !== "origin" || to.exit === null || exit === undefined) return null
  const { via, sources, rotate } = exit
  const turn = { request: "in turn", client: "one for each client", time: "one after the other" }[rotate]
  const from = sources.length > 1 ? `${sources.slice(0, 4).join(", ")}${sources.length > 4 ? " …" : ""}, ${turn}` : sources.join("")
  const leads = via !== null ? `through cluster ${via}` : from === "" ? "from the address that the system chooses" : `from ${from}`
  return { label: plain(label), because: becauseOf(to.exit, label, x), leads: plain(leads) }
}

function becauseOf(choice: ExitChoice, label: string, x: Exchange): string {
  if (fixedExit(choice) !== null) return "the route's"
  if (choice.header !== null && came(x, choice.header)) return `named in ${choice.header}`
  if (x.user !== "" && choice.user[x.user] === label) return `the exit of ${plain(x.user)}`
  const group = (x.notes?.groups ?? []).find(name => choice.group[name] === label)
  return group === undefined ? "the default" : `the exit of the group ${plain(group)}`
}

/** It has been taken out by now. */
function came({ request }: Exchange, header: string): boolean {
  for (let i = 0; i < request.count; i++) if (request.nameIs(i, header)) return true
  return false
}

const kinds = {
  http: "HTTP proxies",
  https: "HTTP proxies",
  socks5: "SOCKS 5 proxies",
  socks5h: "SOCKS 5 proxies",
  socks4a: "SOCKS 4a proxies",
} as const

/** What the parents of a cluster are, "" = it has none. Who we are there is no secret; how we show it is. */
export function parentText(parent: ParentConfig | null): string {
  if (parent === null) return ""
  const as =
    parent.user !== null
      ? `, logged in as ${plain(parent.user)}`
      : parent.token !== null || parent.tokenFile !== null
        ? ", logged in with a token"
        : ""
  return `${kinds[parent.kind]}${as}${parent.via === null ? "" : `, reached through cluster ${parent.via}`}`
}
