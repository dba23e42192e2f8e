// HOT
import { assert } from "../base/index.ts"
import { BODY_TUNNEL } from "../http/index.ts"
import type { Exchange } from "./exchange.ts"
import { deliverHeld } from "./pump.ts"
import { startTunnel } from "./tunnel.ts"
import { NEXT, type Verdict, WAIT } from "./verdict.ts"

/** Sends the response: a local one whole, an upstream's as it comes, a tunnel both ways until it ends. */
export function deliver(x: Exchange): Verdict {
  const down = x.down!
  assert(down !== null && !x.headSent, "one response an exchange")
  x.headSent = true
  down.sendHead(x)
  if (x.responseBody === BODY_TUNNEL) return startTunnel(x)
  const body = x.localBody
  if (x.up === null && !x.pump.responseDone) {
    if (body !== null && body.length > 0 && x.method !== "HEAD") {
      x.responseBytes = body.length
      down.sendBody(body)
    }
    down.sendEnd("")
    return NEXT
  }
  return deliverHeld(x) ? NEXT : WAIT
}
