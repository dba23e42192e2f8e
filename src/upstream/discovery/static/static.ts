import type { PeerEndpoint } from "../../peer.ts"
import { type Discovery, type EmitPeers, endpointOf, type PeerSpec, withoutRepeats } from "../discovery.ts"

/** Endpoints that the config gives as they are: address literals and Unix sockets. Tells them once, at once. */
export class StaticDiscovery implements Discovery {
  private readonly peers: readonly PeerEndpoint[]

  constructor(specs: readonly PeerSpec[]) {
    this.peers = withoutRepeats(specs.map(spec => endpointOf(spec, spec.host)))
  }

  watch(emit: EmitPeers): () => void {
    emit(this.peers)
    return () => {}
  }
}
