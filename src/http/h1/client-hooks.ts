import type { Fault } from "../../base/index.ts"
import type { Message } from "../message.ts"
import type { ClientConnection } from "./client.ts"
import type { Time } from "../../net/index.ts"

/** What a pool gives to its connections. One object for all of them. */
export interface ClientHooks {
  readonly time: Time
  readonly limits: { readonly headBytesMax: number; readonly fieldsMax: number }
  /** The exchange is over and the connection may serve another one. `limitMs`: what the peer said it keeps it (Keep-Alive: timeout), 0 = nothing said. */
  idle(connection: ClientConnection, limitMs: number): void
  /** The connection takes no more exchanges. Called once. */
  gone(connection: ClientConnection): void
}

/** How one attempt uses a connection. */
export interface AttemptTimes {
  /** Request sent to response head, milliseconds; 0 = no limit. */
  readonly head: number
  /** Between two reads of the response, or two writes of the request. */
  readonly idle: number
}

export type { Fault, Message }
