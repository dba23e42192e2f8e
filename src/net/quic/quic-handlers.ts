import type { QuicConnection } from "./quic-connection.ts"
import type { QuicStream } from "./quic-stream.ts"

/** What a header section is (RFC 9114 section 4.1). */
export type HeadersKind = "initial" | "informational" | "trailing"

/**
 * `done`: both sides ended. `reset`: one side gave up; `onReset` or `onStopped` has said so, unless it was us. `connection`: the connection ended before it, or could not make it.
 * `unread`: the peer sent more than `unreadBytesMax` ahead of its reader, and was reset with H3_EXCESSIVE_LOAD.
 */
export type StreamEnd = "done" | "reset" | "connection" | "unread"

/** Callbacks of one stream. They are plain methods; none may throw. */
export interface QuicStreamHandler {
  /** Name, value, name, value …, as they came: latin1, pseudo fields among them, nothing checked; not even CR and LF in values are refused before. Equal names stand together. */
  onHeaders(stream: QuicStream, pairs: readonly string[], kind: HeadersKind): void
  /** The chunk is the receiver's. */
  onData(stream: QuicStream, chunk: Uint8Array): void
  /** The peer's half ended as it should; behind its last data and its trailers. */
  onEnd(stream: QuicStream): void
  /** There is room again after a `write` that answered false. May come without need. */
  onDrain(stream: QuicStream): void
  /** The peer gave up its half (RESET_STREAM) with this code, or, with code 0, its connection ended before it. What had arrived and was not read is gone. */
  onReset(stream: QuicStream, code: number): void
  /** The peer wants no more from us (STOP_SENDING); the runtime does not tell its code. Told when the stream closes over it, or at the next write. */
  onStopped(stream: QuicStream): void
  /** The last call, always made once, also after our own reset. */
  onClose(stream: QuicStream, end: StreamEnd): void
}

/** Callbacks of one connection. They are plain methods; none may throw. */
export interface QuicConnectionHandler {
  /** The peer opened a stream. Answers who listens to it; null refuses it (H3_REQUEST_REJECTED). Not called on connections that we dialed. */
  onStream(connection: QuicConnection, stream: QuicStream): QuicStreamHandler | null
  /** The payload of a DATAGRAM frame; with HTTP/3 it begins with the quarter stream id (RFC 9297 section 2.1). */
  onDatagram(connection: QuicConnection, data: Uint8Array): void
  /** The peer takes no more streams (GOAWAY); open ones go on. From now on `openStream` fails. */
  onGoAway(connection: QuicConnection): void
  /** The last call, after those of its streams. `error` is "" when it was closed in order. */
  onClose(connection: QuicConnection, error: string): void
}

/** Codes that this room sends of its own (RFC 9114 section 8.1). */
export const H3_EXCESSIVE_LOAD = 0x107
export const H3_REQUEST_REJECTED = 0x10b
