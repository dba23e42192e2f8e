/** What a peer may have open or unread. Every limit is the listener's or dialer's own, not shared between workers. */
export interface QuicLimits {
  /** Streams that a peer may have open at once. Default 100. */
  streamsMax?: number
  /** Octets that a peer may send on one stream before the runtime answers; the runtime grants more as it takes them, whether they are read or not. Default 256 KiB. */
  streamWindowBytesMax?: number
  /** The same over all streams of a connection. Default 1 MiB. */
  connectionWindowBytesMax?: number
  /** Octets on one stream that have come and that nobody has read, while it is paused; one more and the stream is reset. A peer is slowed down from a quarter of it on, where the system lets us (Linux). Default 8 MiB. */
  unreadBytesMax?: number
  /** The same over all streams of the listener or the connection that was dialed. Default 128 MiB. */
  unreadTotalBytesMax?: number
  /** Milliseconds without a packet after which a connection ends; whole seconds, rounded up. Default 30 s. */
  idleMs?: number
  /** Octets of one header section that the runtime takes. Beyond them it leaves fields out without a word, so keep it far over what is accepted in the end. Default 1 MiB. */
  fieldSectionBytesMax?: number
  /** Connections of one listening socket, those in their handshake too; others are refused. At most 65535. Default 10000. */
  connectionsMax?: number
}

export const DEFAULT_LIMITS: Required<QuicLimits> = {
  streamsMax: 100,
  streamWindowBytesMax: 256 * 1024,
  connectionWindowBytesMax: 1024 * 1024,
  unreadBytesMax: 8 * 1024 * 1024,
  unreadTotalBytesMax: 128 * 1024 * 1024,
  idleMs: 30_000,
  fieldSectionBytesMax: 1024 * 1024,
  connectionsMax: 10_000,
}

/** The runtime's options that both sides have in common. */
export function transportOptions(limits: Required<QuicLimits>, extendedConnect: boolean): object {
  const { streamsMax, streamWindowBytesMax, connectionWindowBytesMax, idleMs, fieldSectionBytesMax } = limits
  return {
    transportParams: {
      initialMaxStreamsBidi: streamsMax,
      initialMaxStreamDataBidiLocal: streamWindowBytesMax,
      initialMaxStreamDataBidiRemote: streamWindowBytesMax,
      initialMaxData: connectionWindowBytesMax,
      // In seconds, whatever is written elsewhere.
      maxIdleTimeout: Math.max(1, Math.ceil(idleMs / 1000)),
    },
    application: {
      // What the sixteen bits hold; the number of fields is for the receiver to judge, who sees all of them that way.
      maxHeaderPairs: 65_535,
      maxHeaderLength: fieldSectionBytesMax,
      enableConnectProtocol: extendedConnect,
      enableDatagrams: true,
    },
  }
}
