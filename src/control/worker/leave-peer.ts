import { FAULT } from "../../base/index.ts"
import { cutTunnels, type Exchange, expire, runningExchanges } from "../../flow/index.ts"
import { type Cluster, Peer } from "../../upstream/index.ts"

/**
 * A peer is to be left alone: its idle connections close now, the others after what they do. `cut`: what is under way there ends now. Tunnels are closed; a request
 * that may be made again and has had no answer yet goes to another peer.
 */
export function leavePeer(cluster: Cluster | undefined, slot: number, cut: boolean): void {
  cluster?.quiet(slot)
  if (!cut) return
  const isThere = ({ peer }: Exchange): boolean => peer instanceof Peer && peer.slot === slot
  const tunnels = new Set(cutTunnels(isThere))
  for (const x of runningExchanges()) if (isThere(x) && !tunnels.has(x)) expire(x, FAULT.peerDrained)
}
