import { type Exchange, FAULT_VERDICT, NEXT, PeekedTunnel, type Step, WAIT } from "../../../flow/index.ts"
import type { Time } from "../../../http/index.ts"
import type { Origins } from "../../../upstream/index.ts"
import { type Inspector, PEEK_BYTES_MAX } from "./inspector.ts"

export interface InspectStepParts {
  readonly inspectors: ReadonlyMap<string, Inspector>
  readonly origins: ReadonlyMap<string, Origins>
  readonly time: Time
}

/**
 * Looks into tunnels before anybody is dialled: in front of the peer, behind all that decides about access. Requests that are no CONNECT, and those of
 * listeners that do not inspect, go on. null = none of the listeners does.
 */
export function inspectStep(listeners: readonly string[], { inspectors, origins, time }: InspectStepParts): Step | null {
  if (!listeners.some(name => inspectors.has(name))) return null
  return (x: Exchange) => {
    if (x.method !== "CONNECT") return NEXT
    const { name } = x.listener!
    const inspector = inspectors.get(name)
    if (inspector === undefined) return NEXT
    // The listener's rules about ports and addresses, while the client can still be told.
    const fault = origins.get(name)!.parts.checks.target(x)
    if (fault !== null) {
      x.fault = fault
      return FAULT_VERDICT
    }
    const { wait } = inspector.parts.config
    new PeekedTunnel(x, inspector, time, { waitMs: wait, bytesMax: PEEK_BYTES_MAX, idleMs: x.plan!.tunnelIdleMs }).begin()
    return WAIT
  }
}
