// HOT

/** How a connection of HTTP/2 is set up. Octets and milliseconds. */
export interface H2Tuning {
  /** What the other side may send ahead on one stream: what a paused stream may cost, and the most that a stream gets through in one round trip. */
  readonly streamWindow: number
  /** The same of all streams together. */
  readonly connectionWindow: number
  /** DATA and HEADERS that we send are padded to a multiple of so many octets, 256 at the most; 0 = they are as long as what is in them. */
  readonly padTo: number
}

/** The same for a connection to a peer, which looks whether the peer is still there. */
export interface H2PeerTuning extends H2Tuning {
  /** A peer that is silent for so long is asked (PING, RFC 9113 section 6.7). */
  readonly pingAfterMs: number
  /** How long its answer may take. */
  readonly pongWithinMs: number
  /** It is asked also while no request is under way. */
  readonly pingIdle: boolean
}

export const h2Tuning: H2Tuning = { streamWindow: 128 * 1024, connectionWindow: 1024 * 1024, padTo: 0 }

export const h2PeerTuning: H2PeerTuning = {
  streamWindow: h2Tuning.streamWindow,
  connectionWindow: h2Tuning.connectionWindow,
  padTo: 0,
  pingAfterMs: 30_000,
  pongWithinMs: 15_000,
  pingIdle: false,
}
