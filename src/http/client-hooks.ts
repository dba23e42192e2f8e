import type { Fault } from "../base/index.ts"
import type { PeerTls, Time } from "../net/index.ts"
import type { H2PeerTuning } from "./h2/tuning.ts"
import type { Message } from "./message.ts"

/** One connection to a peer, whatever the HTTP version. */
export interface UpstreamConnection {
  /** It can take another exchange now. */
  readonly usable: boolean
  /** Exchanges that it has finished. */
  readonly served: number
  /**
   * Sends the head of `m`, which gets its upstream side; the body follows by `sendBody` and `sendEnd`. `target` is what the request names.
   * Nothing need leave before `flush` or `sendEnd`.
   */
  send(m: Message, target: string, times: AttemptTimes): void
  /** Closes at once. */
  close(): void
}

/** What status says of a connection that carries many exchanges. */
export interface SharedFacts {
  /** `192.0.2.7:443`. */
  readonly peer: string
  readonly protocol: "HTTP/2" | "HTTP/3"
  /** null = without TLS, or over QUIC, where it is TLS 1.3. */
  readonly tls: PeerTls | null
  /** How long it has stood, milliseconds. */
  readonly ageMs: number
  /** Exchanges under way, tunnels among them, and those that are over. */
  readonly streams: number
  readonly served: number
  readonly octetsIn: number
  readonly octetsOut: number
}

/** One that carries many exchanges at the same time. */
export interface SharedConnection extends UpstreamConnection {
  /** 20 or 30. */
  readonly version: number
  /** Exchanges under way. */
  readonly streamCount: number
  /** Exchanges at the same time that it takes, by the limits of both sides. */
  readonly streamsMax: number
  /** The peer takes none for the time being, and has not said that it leaves. */
  readonly onHold: boolean
  /** The peer has said what it takes. Until then the connection serves whoever dialled it, and nobody else. */
  readonly known: boolean
  /** Why it ended; null = it was cut, or still stands. */
  readonly failure: Fault | null
  /** Takes no further exchange, and closes after those that it has. */
  retire(): void
  facts(): SharedFacts
}

/** One that carries an exchange after the other, and is kept in between. */
export interface KeptConnection extends UpstreamConnection {
  /** While idle the pool owns the deadline; it closes the connection before the peer would. */
  keepFor(ms: number): void
}

/** What a pool gives to its connections. One object for all of them. */
export interface ClientHooks {
  readonly time: Time
  readonly limits: {
    readonly headBytesMax: number
    readonly fieldsMax: number
    /** Exchanges at the same time on one connection, where the peer allows as many. */
    readonly streamsMax: number
    /** Requests on one connection; 0 = no limit. */
    readonly requestsMax: number
    /** How connections of HTTP/2 are set up. Default: as `h2PeerTuning` says. */
    readonly h2?: H2PeerTuning
    /** A shared connection without an exchange closes after so long. */
    readonly idleTimeoutMs: number
  }
  /** After so many requests the peer ends its connections and gives back what comes on top: one gets no more. 0 = not as far as is known. */
  readonly requestsTaken: number
  /** It has done so, after so many. */
  gaveBack(taken: number): void
  /** The exchange is over and the connection may serve another one. `limitMs`: what the peer said it keeps it (Keep-Alive: timeout), 0 = nothing said. */
  idle(connection: KeptConnection, limitMs: number): void
  /** A shared connection can take one more. */
  room(connection: SharedConnection): void
  /** The peer of a shared connection has said how many it takes, or takes no more (GOAWAY). */
  changed(connection: SharedConnection): void
  /** The connection takes no more exchanges. Called once. */
  gone(connection: UpstreamConnection): void
}

/** How one attempt uses a connection. */
export interface AttemptTimes {
  /** Request sent to response head, milliseconds; 0 = no limit. */
  readonly head: number
  /** Between two reads of the response, or two writes of the request. */
  readonly idle: number
}
