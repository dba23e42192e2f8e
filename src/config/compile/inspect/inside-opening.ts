import type { PeekedTunnel } from "../../../flow/index.ts"
import type { InsideFailure, NativeContext } from "../../../net/index.ts"

/** How an opened connection ended. */
export type InsideOutcome =
  | { readonly failure: InsideFailure; readonly detail: string }
  /** `requests`: heads that came; `ms`: since the handshake. */
  | { readonly requests: number; readonly ms: number }

/** A client's tunnel that is to be opened: we are the server of its TLS. */
export interface InsideOpening {
  /** Its connection is the taker's. The exchange of the tunnel waits until `leave`. */
  readonly peek: PeekedTunnel
  readonly context: NativeContext
  /** What the client asked for in TLS; "" = nothing. */
  readonly serverName: string
  /** To agree on, the preferred one first; empty = the client offers none. */
  readonly protocols: readonly string[]
  readonly handshakeMs: number
  /** Called once, when it is over. */
  done(outcome: InsideOutcome): void
}

/** Takes a client's tunnel and serves what is in it. */
export type OpenInside = (opening: InsideOpening) => void
