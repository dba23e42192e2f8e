import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { asksToBind } from "../../http/index.ts"
import { bindSteps, type ClusterSteps, type Origins } from "../../upstream/index.ts"
import type { Config, RouteConfig } from "../schema.ts"

/** A listener of the route lets SOCKS clients wait for peers, and the route asks others than origins, who could not wait for anybody; what answers by itself says no as it does to CONNECT. */
export function refusesBind({ match, to }: RouteConfig, { listeners }: Config): boolean {
  const names = match.listeners.length > 0 ? match.listeners : Object.keys(listeners)
  const isDirect = to.kind === "origin" && (to.via ?? null) === null && to.exit === null
  return !isDirect && to.kind !== "answer" && names.some(name => (listeners[name]?.forward?.socks?.bind ?? null) !== null)
}

export function refuseBind(x: Exchange): Verdict {
  if (!asksToBind(x)) return NEXT
  x.fault = FAULT.socksCommand
  return FAULT_VERDICT
}

/** The steps of a route to origins as this listener has them. */
export function withBind(steps: ClusterSteps, origins: Origins, listener: Config["listeners"][string] | undefined): ClusterSteps {
  const bind = listener?.forward?.socks?.bind ?? null
  return bind === null ? steps : bindSteps(steps, origins, { waitMs: bind.wait, address: bind.address })
}
