/**
 * The bytes side of one connection, as the codecs see it. A socket of the runtime fits this shape as it is, so the hot path has no wrapper.
 */
export interface Wire {
  /**
   * Takes what the kernel takes now and returns that count. The rest stays the caller's until `onDrain`. Negative: closed or broken; the kernel then
   * reports the peer's reset here and nowhere else, so that an `onEnd` that follows is no clean end. An offset needs a length beside it: the runtime's
   * default is the whole, and it throws.
   */
  write(data: string | Uint8Array): number
  write(data: Uint8Array, byteOffset: number, byteLength: number): number
  /** Flushes what was taken and closes. */
  end(): void
  /** Closes the writing half; what arrives is still read. */
  shutdown(): void
  /** Closes at once with a reset where the system allows. */
  terminate(): void
  /** Stops reading; the kernel's window then holds the peer. */
  pause(): void
  resume(): void
  /** Who listens to this connection. Set by the owner; swapped when the connection changes its role. */
  data: WireHandler
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** All octets that the kernel ever took; a wire that does not count has none. */
  readonly bytesWritten?: number
}

/** Callbacks of a connection. They are plain methods; none may throw. */
export interface WireHandler {
  onData(wire: Wire, chunk: Buffer): void
  /** There is room again. Comes without need, too: after `resume`, and with the peer's FIN. */
  onDrain(wire: Wire): void
  /** The peer closed its writing half (FIN); ours is still open. */
  onEnd(wire: Wire): void
  /**
   * The last call, always made once. `error` is set when the connection broke, unless a write has met the reset before (see `write`) or we closed first.
   * The addresses cannot be read any more.
   */
  onClose(wire: Wire, error: Error | null): void
}
