import type { PeerEndpoint } from "../../peer.ts"
import { type Discovery, type EmitPeers, endpointOf, isSameList, type PeerSpec, withoutRepeats } from "../discovery.ts"
import { NameWatch, type NameWatchDeps } from "./name-watch.ts"

/**
 * Endpoints that the config gives as names. Each entry becomes as many peers as its name has addresses, each with the entry's weight.
 * The first list comes when every name has been looked up, found or not; a name that is not found is no peers, and is asked for again.
 */
export class DnsDiscovery implements Discovery {
  private readonly specs: readonly PeerSpec[]
  private readonly watches = new Map<string, NameWatch>()
  private emit: EmitPeers = () => {}
  private last: readonly PeerEndpoint[] | null = null

  constructor(specs: readonly PeerSpec[], deps: NameWatchDeps) {
    this.specs = specs
    for (const { host } of specs) {
      if (!this.watches.has(host)) this.watches.set(host, new NameWatch(host, deps, () => this.changed()))
    }
  }

  watch(emit: EmitPeers): () => void {
    this.emit = emit
    for (const watch of this.watches.values()) watch.start()
    return () => {
      for (const watch of this.watches.values()) watch.stop()
    }
  }

  /** Connections to the addresses of `name` (default: of any) cannot be made. At most one question a second for each; `done` when all are answered. */
  refreshNow(name: string | null, done: () => void): void {
    const watches = [...this.watches.values()].filter(watch => name === null || watch.name === name)
    let open = watches.length
    if (open === 0) return done()
    for (const watch of watches) watch.refreshNow(() => void (--open === 0 && done()))
  }

  private changed(): void {
    for (const watch of this.watches.values()) if (!watch.settled) return
    const peers = withoutRepeats(this.specs.flatMap(spec => this.watches.get(spec.host)!.addresses.map(address => endpointOf(spec, address))))
    if (this.last !== null && isSameList(peers, this.last)) return
    this.last = peers
    this.emit(peers)
  }
}
