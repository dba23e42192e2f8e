import { isIP } from "node:net"
import { FAULT } from "../../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, notesOf, PeekedTunnel, type Step, type Verdict, WAIT } from "../../../flow/index.ts"
import type { Time } from "../../../http/index.ts"
import type { Origins } from "../../../upstream/index.ts"
import { ASKS, type Inspector, PEEK_BYTES_MAX } from "./inspector.ts"

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
      if (inspector === undefined) return NEXT
      return inspector.parts.open === null ? foretell(x, inspector) : look(x, inspector, parts)
    },
    noteEnd(x) {
      if (x.fault !== null && x.notes?.inside === true) inspectors.get(x.listener!.name)?.noteEnd(x)
      return NEXT
    },
  }
}

/** For explain: as if the client asked for this host in TLS. */
function foretell(x: Exchange, inspector: Inspector): Verdict {
  const notes = notesOf(x)
  notes.tlsName = isIP(x.host) === 0 ? x.host : ""
  notes.alpn = ["h2", "http/1.1"]
  const first = inspector.decide(x, notes)
  const decision = first === ASKS ? inspector.decide(x, notes, "unknown") : first
  notes.tls = decision.do
  notes.tlsReason = first === ASKS ? `${decision.reason}, unless a rule about the site's certificate holds` : decision.reason
  if (notes.refuse === null && decision.do !== "refuse") return NEXT
  x.fault = notes.refuse === null ? FAULT.tlsRefused : FAULT.blocked
  return FAULT_VERDICT
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
