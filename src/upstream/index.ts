export { endpointName, Peer, type PeerEndpoint } from "./peer.ts"
export { type Health, HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP, PeerStates } from "./peer-states.ts"
export { SlotTable, slotKey } from "./slot-table.ts"
export { Tried } from "./tried.ts"
