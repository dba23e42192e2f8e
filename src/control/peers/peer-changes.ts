import type { PeerConfig } from "../../config/index.ts"
import { formatHostPort } from "../../base/index.ts"
import { endpointName, type PeerEndpoint } from "../../upstream/index.ts"

/**
 * What is different at one cluster from its config, by a word at run time. Plain data: it goes into a file as it is. Addresses are as the config writes them
 * (`app.test:80`, which is all that this name resolves to) or those of one endpoint (`10.0.0.1:80`); one endpoint's own counts before its name's.
 */
export interface PeerChanges {
  readonly added: readonly PeerConfig[]
  /** Of the config's. */
  readonly removed: readonly string[]
  readonly weights: Readonly<Record<string, number>>
  /** They get no new requests. */
  readonly drained: readonly string[]
}

export const NO_CHANGES: PeerChanges = { added: [], removed: [], weights: {}, drained: [] }

export function isUnchanged({ added, removed, weights, drained }: PeerChanges): boolean {
  return added.length + removed.length + drained.length + Object.keys(weights).length === 0
}

/** The peers that are to be found, names not resolved yet. Those removed are still among them: an endpoint of a name may be. */
export function specsWith(peers: readonly PeerConfig[], { added }: PeerChanges): readonly PeerConfig[] {
  return added.length === 0 ? peers : [...peers, ...added]
}

/** The endpoints as changed: without those removed, with their weights. */
export function changedEndpoints(endpoints: readonly PeerEndpoint[], { removed, weights }: PeerChanges): PeerEndpoint[] {
  return endpoints
    .filter(endpoint => !addressesOf(endpoint).some(address => removed.includes(address)))
    .map(endpoint => {
      const address = addressesOf(endpoint).find(each => Object.hasOwn(weights, each))
      return address === undefined ? endpoint : { ...endpoint, weight: weights[address]! }
    })
}

export function isDrained(endpoint: PeerEndpoint, { drained }: PeerChanges): boolean {
  return addressesOf(endpoint).some(address => drained.includes(address))
}

/** The addresses by which an endpoint can be named: its own, then the name that it comes from. */
export function addressesOf(endpoint: PeerEndpoint): string[] {
  const own = endpointName(endpoint)
  if (endpoint.path !== "" || endpoint.host === "" || endpoint.host === endpoint.address) return [own]
  return [own, formatHostPort(endpoint.host, endpoint.port)]
}

/** How a peer of the config, or one that was added, is named. */
export function addressOf({ host, port, path }: PeerConfig): string {
  return path !== "" ? `unix:${path}` : formatHostPort(host, port)
}

/** Each difference in words, for status and log. */
export function describeChanges({ added, removed, weights, drained }: PeerChanges): string[] {
  return [
    ...added.map(peer => `${addressOf(peer)} added${peer.weight === 1 ? "" : ` with weight ${peer.weight}`}${peer.backup ? " as a backup" : ""}`),
    ...removed.map(address => `${address} removed`),
    ...Object.entries(weights).map(([address, weight]) => `${address} has weight ${weight}`),
    ...drained.map(address => `${address} drained`),
  ]
}

/** `ofConfig`: the config's own entry for this address. What was removed, by the config's name or one endpoint of a name, is there again. */
export function withAdded(changes: PeerChanges, peer: PeerConfig, ofConfig: PeerConfig | undefined): PeerChanges {
  const address = addressOf(peer)
  const clean = without(changes, address)
  if (ofConfig === undefined && !changes.removed.includes(address)) return { ...clean, added: [...clean.added, peer] }
  return peer.weight === (ofConfig?.weight ?? 1) ? clean : withWeight(clean, address, peer.weight)
}

export function withWeight(changes: PeerChanges, address: string, weight: number): PeerChanges {
  const added = changes.added.map(peer => (addressOf(peer) === address ? { ...peer, weight } : peer))
  if (changes.added.some(peer => addressOf(peer) === address)) return { ...changes, added }
  return { ...changes, weights: { ...changes.weights, [address]: weight } }
}

/** The config's own weight is no change. */
export function withoutWeight(changes: PeerChanges, address: string): PeerChanges {
  return { ...changes, weights: Object.fromEntries(Object.entries(changes.weights).filter(([each]) => each !== address)) }
}

export function withDrained(changes: PeerChanges, address: string, drained: boolean): PeerChanges {
  const others = changes.drained.filter(each => each !== address)
  return { ...changes, drained: drained ? [...others, address] : others }
}

export function withRemoved(changes: PeerChanges, address: string): PeerChanges {
  const clean = without(changes, address)
  return changes.added.some(peer => addressOf(peer) === address) ? clean : { ...clean, removed: [...clean.removed, address] }
}

/** Nothing is said of this address. */
function without(changes: PeerChanges, address: string): PeerChanges {
  return {
    ...withDrained(withoutWeight(changes, address), address, false),
    added: changes.added.filter(peer => addressOf(peer) !== address),
    removed: changes.removed.filter(each => each !== address),
  }
}
