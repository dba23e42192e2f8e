import type { InsideOpening, OpenInside } from "../../../config/index.ts"
import { FAULT, log } from "../../../base/index.ts"
import type { TakenTunnel } from "../../../flow/index.ts"
import { type DialHandler, dialPair, secureInside, type Wire, type WireHandler } from "../../../net/index.ts"
import { TunnelJoin } from "../../../upstream/index.ts"
import { type ListenerRuntime, runtimeOf } from "../listener-runtime.ts"
import { InsideClient } from "./inside-client.ts"

const NOTHING = Buffer.alloc(0)
/** A pair of sockets is made at once or not at all. */
const PAIR_MS = 1000

/** Ends the TLS in a client's tunnel and serves what is in it, on the listener that the client came to. */
export const openInside: OpenInside = (opening: InsideOpening): void => {
  const runtime = runtimeOf(opening.peek.x.listener!)
  const taken = runtime.secure ? null : opening.peek.takeOver()
  if (taken === null) openOverPair(runtime, opening)
  else begin(runtime, opening, taken)
}

function begin(runtime: ListenerRuntime, opening: InsideOpening, taken: TakenTunnel): void {
  const { context, protocols, handshakeMs } = opening
  const client = new InsideClient(runtime, opening, taken)
  secureInside(taken.wire, taken.octets, { time: runtime.time, handshakeMs, context, protocols }, client)
}

/** A tunnel inside a stream of HTTP/2, or inside TLS, which the runtime does not end twice on one socket: it goes through a pair of sockets. */
function openOverPair(runtime: ListenerRuntime, opening: InsideOpening): void {
  const { time } = runtime
  const end = opening.peek.handOn()
  const join = new TunnelJoin(end)
  const near: DialHandler = {
    onOpen(wire: Wire): WireHandler {
      begin(runtime, opening, { wire, former: null, octets: NOTHING })
      return wire.data
    },
    onFailed(_kind, detail) {
      log.warn("inspect", "a tunnel cannot be opened", { listener: runtime.info.name, error: detail })
      end.abort()
      opening.peek.leave(FAULT.internal)
    },
  }
  dialPair({ time, timeoutMs: PAIR_MS }, near, wire => join.join(wire, time))
  end.start(join, 0)
}
