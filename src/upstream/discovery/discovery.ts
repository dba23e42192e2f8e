import { endpointName, type PeerEndpoint } from "../peer.ts"

/** A peer as the config names it: one endpoint, or a name that stands for several. */
export interface PeerSpec {
  /** Name or address literal without brackets; "" for a Unix socket. */
  readonly host: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** Path of the Unix socket, else "". */
  readonly path: string
  readonly weight: number
  readonly backup: boolean
}

/** Receives the whole list, at first and after each change; never a list that is the same as the one before. */
export type EmitPeers = (peers: readonly PeerEndpoint[]) => void

/** Knows which endpoints a cluster has. Lives in the control thread. */
export interface Discovery {
  /** Starts, once. `emit` may be called before this returns. Returns how to stop. */
  watch(emit: EmitPeers): () => void
}

export function endpointOf(spec: PeerSpec, address: string): PeerEndpoint {
  return { address, port: spec.port, path: spec.path, host: spec.host, weight: spec.weight, backup: spec.backup }
}

/** The same endpoint may come from two entries: the first counts. */
export function withoutRepeats(peers: readonly PeerEndpoint[]): PeerEndpoint[] {
  const seen = new Set<string>()
  return peers.filter(peer => {
    const name = endpointName(peer)
    return !seen.has(name) && seen.add(name)
  })
}

/** Whether two lists say the same, in the same order. */
export function isSameList(a: readonly PeerEndpoint[], b: readonly PeerEndpoint[]): boolean {
  return a.length === b.length && a.every((peer, index) => isSame(peer, b[index]!))
}

function isSame(a: PeerEndpoint, b: PeerEndpoint): boolean {
  return endpointName(a) === endpointName(b) && a.host === b.host && a.weight === b.weight && a.backup === b.backup
}
