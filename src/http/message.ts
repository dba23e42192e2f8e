import type { Fault } from "../base/index.ts"
import type { Fields } from "./fields.ts"
import type { Downstream, Upstream } from "./sides.ts"

/** How a message's body is delimited (RFC 9112 section 6.3). */
export const BODY_NONE = 0
export const BODY_LENGTH = 1
export const BODY_CHUNKED = 2
/** Responses only: the end of the connection ends the body. */
export const BODY_CLOSE = 3
/** The connection becomes a tunnel after the head (101, or 2xx to CONNECT). */
export const BODY_TUNNEL = 4

export type BodyKind = 0 | 1 | 2 | 3 | 4

/**
 * One request and its response as the codecs read and write it; flow's Exchange is the one implementation.
 * Codecs fill the data fields and then call the methods; each call may re-enter the codec.
 */
export interface Message {
  method: string
  scheme: string
  host: string
  authority: string
  port: number
  path: string
  rulePath: string
  query: string
  version: number
  request: Fields
  requestBody: BodyKind
  requestLength: number
  upgrade: string
  encodedSlash: boolean
  forwardForm: boolean
  expectContinue: boolean
  status: number
  reason: string
  response: Fields
  responseBody: BodyKind
  responseLength: number
  down: Downstream | null
  up: Upstream | null
  startedAt: number
  /** What went wrong, null = nothing, or nothing yet. */
  readonly fault: Fault | null

  /** The receiver keeps no chunk of the request body, or response body, that comes now: its memory may be used again when the call returns. */
  /** Textual address of the client, as trusted hops name it. */
  readonly clientAddress: string
  /** Who the client is, "" = anonymous. */
  readonly user: string
  readonly takesLentRequest: boolean
  readonly takesLentResponse: boolean

  /** A chunk of the decoded request body; the receiver may keep it, unless it takes lent ones. */
  onRequestBody(chunk: Uint8Array): void
  /** `trailers`: ready-made lines or "". */
  onRequestEnd(trailers: string): void
  /** The request body cannot be read any further; a local reply is still possible. */
  onRequestFault(fault: Fault): void
  /** The client is gone; `down` takes nothing more. */
  onClientGone(fault: Fault): void
  /** What was handed to `down` has left; the source may go on. */
  onDownDrain(): void

  /** A 1xx other than 101: `lines` are ready-made. */
  onInterim(status: number, lines: string): void
  /** status, reason, response and its framing are set. */
  onResponseHead(): void
  onResponseBody(chunk: Uint8Array): void
  /** The whole of a small body, one character an octet. */
  onResponseText(text: string): void
  onResponseEnd(trailers: string): void
  /** The attempt failed, before or after the head. No further calls come from this `up`. */
  onUpFault(fault: Fault): void
  onUpDrain(): void
}
