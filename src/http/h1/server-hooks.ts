import type { Fault } from "../../base/index.ts"
import type { Message } from "../message.ts"
import type { HeadLimits } from "./request-head.ts"
import type { ServerConnection } from "./server.ts"
import type { Time } from "../../net/index.ts"

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
}

/** What a listener gives to its connections. One object for all of them. */
export interface ServerHooks {
  readonly limits: HeadLimits & { readonly requestsMax: number }
  readonly timeouts: ServerTimeouts
  readonly secure: boolean
  /** No keep-alive any more: the listener is closing. */
  readonly closing: boolean
  /** When closing: whoever asked lately may ask once more and is told then. Default true. */
  readonly lastRequests?: boolean
  readonly time: Time
  /** A message to fill; its client side is this connection. */
  acquire(connection: ServerConnection): Message
  /** The message was not used. */
  recycle(m: Message): void
  /** The head is complete and sound. May answer before it returns. */
  start(m: Message): void
  /** The head is refused: answer with a local reply, log. */
  refuse(m: Message, fault: Fault): void
  closed(connection: ServerConnection): void
}
