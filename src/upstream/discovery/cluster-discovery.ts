import { isIP } from "node:net"
import type { PeerEndpoint } from "../peer.ts"
import { type Discovery, type EmitPeers, isSameList, type PeerSpec, withoutRepeats } from "./discovery.ts"
import { DnsDiscovery } from "./dns/dns.ts"
import type { NameWatchDeps } from "./dns/name-watch.ts"
import { StaticDiscovery } from "./static/static.ts"

/** All endpoints of one cluster: those given as they are, then those behind names. Tells a list when both parts are known. */
export class ClusterDiscovery implements Discovery {
  private readonly fixed: StaticDiscovery
  private readonly named: DnsDiscovery | null
  private last: readonly PeerEndpoint[] | null = null

  /** `resolves`: false where names are for somebody else to resolve, so that each is an endpoint as it stands. */
  constructor(specs: readonly PeerSpec[], deps: NameWatchDeps, resolves = true) {
    const names = resolves ? specs.filter(isNamed) : []
    this.fixed = new StaticDiscovery(resolves ? specs.filter(spec => !isNamed(spec)) : specs)
    this.named = names.length === 0 ? null : new DnsDiscovery(names, deps)
  }

  watch(emit: EmitPeers): () => void {
    let fixed: readonly PeerEndpoint[] = []
    const stopFixed = this.fixed.watch(peers => void (fixed = peers))
    if (this.named === null) {
      emit(fixed)
      return stopFixed
    }
    const stopNamed = this.named.watch(named => this.tell(withoutRepeats([...fixed, ...named]), emit))
    return () => {
      stopFixed()
      stopNamed()
    }
  }

  /**
   * Connections to the addresses of `name` (null: of any of the names) cannot be made: asks for them now, at most once a second for each.
   * `done` is called after the answers, when a changed list has been told; at once when there is no such name.
   */
  refreshNow(name: string | null = null, done: () => void = () => {}): void {
    if (this.named === null) done()
    else this.named.refreshNow(name, done)
  }

  private tell(peers: readonly PeerEndpoint[], emit: EmitPeers): void {
    if (this.last !== null && isSameList(peers, this.last)) return
    this.last = peers
    emit(peers)
  }
}

function isNamed(spec: PeerSpec): boolean {
  return spec.path === "" && isIP(spec.host) === 0
}
