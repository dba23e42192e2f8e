import type { TunnelEnd } from "../sides.ts"
import { TunnelUpstream } from "../wordless-sides.ts"
import { H1Tunnel } from "./tunnel-end.ts"
import type { Time, Wire } from "../../net/index.ts"

/** The upstream side of CONNECT: a connection that never speaks HTTP. It takes part in an exchange only to become a tunnel. */
export class WireTunnel extends TunnelUpstream {
  private readonly end: H1Tunnel

  constructor(wire: Wire, time: Time) {
    super()
    this.end = new H1Tunnel(wire, time, null, null, null)
  }

  /** The connection, for its addresses. */
  get wire(): Wire {
    return this.end.wire
  }

  abort(): void {
    this.end.abort()
  }

  takeTunnel(): TunnelEnd {
    return this.end
  }
}
