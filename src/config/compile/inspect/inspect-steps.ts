import { type Exchange, FAULT_VERDICT, NEXT, PeekedTunnel, type Step, type Verdict, WAIT } from "../../../flow/index.ts"
import type { Time } from "../../../http/index.ts"
import type { Origins } from "../../../upstream/index.ts"
import { type Inspector, PEEK_BYTES_MAX } from "./inspector.ts"

export interface InspectParts {
  readonly inspectors: ReadonlyMap<string, Inspector>
  readonly origins: ReadonlyMap<string, Origins>
  readonly time: Time
}

export interface InspectSteps {
  /** Looks into tunnels before anybody is dialled: in front of the peer, behind all that decides about access. Other requests go on. */
  readonly look: Step
  /** At the end: what a request inside a tunnel says about the next decision on its site. */
  readonly noteEnd: Step
}

/** What a route to origins does for its listeners that inspect; null = none does. */
export function inspectSteps(listeners: readonly string[], parts: InspectParts): InspectSteps | null {
  const { inspectors } = parts
  if (!listeners.some(name => inspectors.has(name))) return null
  return {
    look(x) {
      const inspector = x.method === "CONNECT" ? inspectors.get(x.listener!.name) : undefined
      return inspector === undefined ? NEXT : look(x, inspector, parts)
    },
    noteEnd(x) {
      if (x.fault !== null && x.notes?.inside === true) inspectors.get(x.listener!.name)?.noteEnd(x)
      return NEXT
    },
  }
}

function look(x: Exchange, inspector: Inspector, { origins, time }: InspectParts): Verdict {
  // The listener's rules about ports and addresses, while the client can still be told.
  const fault = origins.get(x.listener!.name)!.parts.checks.target(x)
  if (fault !== null) {
    x.fault = fault
    return FAULT_VERDICT
  }
  const { wait } = inspector.parts.config
  new PeekedTunnel(x, inspector, time, { waitMs: wait, bytesMax: PEEK_BYTES_MAX, idleMs: x.plan!.tunnelIdleMs }).begin()
  return WAIT
}
