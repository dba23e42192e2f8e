import type { PeerView } from "../../peers/run-time-peers.ts"
import type { CachesReply } from "../cache/admin/ask-caches.ts"
import { plural, printable } from "../cache/cell.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { askPeers, type PeerOptions, type PeersReply } from "./ask-peers.ts"

const LOOK_MS = 200

/** Waits until the peer is drained, or gone when it is being removed, and says on the error output how many requests it still has. null = the instance does not answer any more. */
export async function untilDrained(
  { cluster, address, removes }: { cluster: string; address: string; removes: boolean },
  first: CachesReply<PeersReply>,
  options: PeerOptions,
  context: CommandContext,
): Promise<CachesReply<PeersReply> | null> {
  let told = -1
  for (let reply: CachesReply<PeersReply> | null = first; reply !== null; ) {
    const running = (reply.value.clusters[cluster]?.peers ?? []).filter(peer => isMeant(peer, address) && (removes || peer.state === "draining"))
    if (running.length === 0) return reply
    const inFlight = running.reduce((sum, peer) => sum + peer.inFlight, 0)
    if (inFlight !== told)
      context.err.write(`${styleOf(context.err, context.env).dim(`${printable(address)}: ${plural(inFlight, "request", "requests")} under way …`)}\n`)
    told = inFlight
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    reply = await askPeers({ method: "GET", path: "/peers", query: { cluster } }, options, context)
  }
  return null
}

function isMeant({ name, host }: PeerView, address: string): boolean {
  return name === address || (host !== "" && address.toLowerCase().startsWith(`${host}:`))
}
