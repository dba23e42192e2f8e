import { type TunnelEnd, WireTunnel } from "../../http/index.ts"
import { type ClientTls, type DialHandle, type DialHandler, dialOver, dialPair, type Time, type Wire } from "../../net/index.ts"
import { TunnelJoin } from "./tunnel-join.ts"

/** What is wanted of a connection that runs inside another one. */
export interface Inside {
  readonly time: Time
  readonly timeoutMs: number
  /** TLS with whoever is at the other end; null = none. */
  readonly tls: ClientTls | null
  readonly serverName: string
  /** What it runs in is TLS already, and the runtime ends no TLS inside TLS. */
  readonly overTls: boolean
}

const nothing: DialHandle = { cancel(): void {} }

/** Makes a connection of a tunnel that stands: its own socket where it has one that will do, else one end of a pair. The handler may be told before this returns. */
export function standOverTunnel(end: TunnelEnd, inside: Inside, handler: DialHandler): DialHandle {
  const join = new TunnelJoin(end)
  end.start(join, 0)
  const usesSocket = join.untouched && !(inside.tls !== null && inside.overTls)
  const released = usesSocket ? (end.release?.() ?? null) : null
  if (released !== null) {
    released.former?.tunnelGone()
    return standOverWire(released.wire, inside, handler)
  }
  return dialPair(inside, handler, wire => join.join(wire, inside.time))
}

/** The same for a connection that speaks nothing yet. */
export function standOverWire(wire: Wire, inside: Inside, handler: DialHandler): DialHandle {
  if (inside.tls !== null) {
    if (!inside.overTls) return dialOver(wire, inside, handler)
    return standOverTunnel(new WireTunnel(wire, inside.time).takeTunnel(), inside, handler)
  }
  const next = handler.onOpen(wire, "")
  if (next === null) wire.terminate()
  else wire.data = next
  return nothing
}
