import type { InsideOpening, OpenInside } from "../../../config/index.ts"
import { secureInside } from "../../../net/index.ts"
import { runtimeOf } from "../listener-runtime.ts"
import { InsideClient } from "./inside-client.ts"

/** Ends the TLS in a client's tunnel and serves what is in it, on the listener that the client came to. */
export const openInside: OpenInside = (opening: InsideOpening): boolean => {
  const { peek, context, protocols, handshakeMs } = opening
  const runtime = runtimeOf(peek.x.listener!)
  const taken = peek.takeOver()
  if (taken === null) return false
  const client = new InsideClient(runtime, opening, taken)
  secureInside(taken.wire, taken.octets, { time: runtime.time, handshakeMs, context, protocols }, client)
  return true
}
