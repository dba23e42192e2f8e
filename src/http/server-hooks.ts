import type { Fault } from "../base/index.ts"
import type { H2Tuning } from "./h2/tuning.ts"
import type { Message } from "./message.ts"
import type { Downstream, DownstreamConnection } from "./sides.ts"
import type { SocksOptions } from "./socks/socks-options.ts"
import type { Time } from "../net/index.ts"

export interface HeadLimits {
  readonly headBytesMax: number
  readonly fieldsMax: number
  readonly targetBytesMax: number
}

/** What a connection that carries many exchanges at once may cost. Counts are those of ten seconds. */
export interface StreamLimits {
  /** Exchanges at the same time. */
  readonly streamsMax: number
  /** Streams that end before their answer does, by the client's word or for its mistakes. */
  readonly streamResetsMax: number
  /** Frames that ask for work and bring nothing: SETTINGS, PING, PRIORITY, empty DATA and the like. */
  readonly controlFramesMax: number
}

/** Times in milliseconds; 0 = no limit. */
export interface ServerTimeouts {
  /** First octet of a head to its end. */
  readonly head: number
  /** Between two requests. */
  readonly idle: number
  /** Between two reads of a request body. */
  readonly body: number
  /** Octets a second that a request body must reach on average after its first ten seconds. */
  readonly bodyRateMin: number
  /** Between two octets that the client takes. */
  readonly write: number
  /** HTTP/1: octets a second that a client must take of an answer on average, while it is what we wait for, after ten seconds of that. */
  readonly writeRateMin: number
}

/** What a listener gives to its connections. One object for all of them. */
export interface ServerHooks {
  readonly limits: HeadLimits & StreamLimits & { readonly requestsMax: number }
  readonly timeouts: ServerTimeouts
  readonly secure: boolean
  /** Takes forward requests. */
  readonly forward: boolean
  /** What Alt-Svc says on answers by TCP, "" = nothing (RFC 7838). */
  readonly altSvc: string
  /** Speaks HTTP/2 on plain connections that begin with its preface (RFC 9113 section 3.3). */
  readonly http2: boolean
  /** How its connections of HTTP/2 are set up. Default: as `h2Tuning` says. */
  readonly h2Tuning?: H2Tuning
  /** No keep-alive any more: the listener is closing. */
  readonly closing: boolean
  /** When closing: whoever asked lately may ask once more and is told then. Default true. */
  readonly lastRequests?: boolean
  readonly time: Time
  /** Takes clients that speak SOCKS. Default: null, it takes none. */
  readonly socks?: SocksOptions | null
  /** A message to fill; this is its client side. */
  acquire(down: Downstream): Message
  /** The message was not used. */
  recycle(m: Message): void
  /** The head is complete and sound. May answer before it returns. */
  start(m: Message): void
  /** The head is refused: answer with a local reply, log. */
  refuse(m: Message, fault: Fault): void
  /** The connection goes on in another version of HTTP: `next` counts in its place. */
  replaced(former: DownstreamConnection, next: DownstreamConnection): void
  /** Who a client says that it is, which nobody has checked: for the log. */
  claimed?(m: Message, name: string): void
  /** Something went wrong with the connection as a whole. */
  faulted(fault: Fault): void
  closed(connection: DownstreamConnection): void
}
