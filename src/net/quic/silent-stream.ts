import type { QuicStreamHandler } from "./quic-handlers.ts"

/** Listens to nothing: for a stream on its way out. */
export const silentStream: QuicStreamHandler = {
  onHeaders(): void {},
  onData(): void {},
  onEnd(): void {},
  onDrain(): void {},
  onReset(): void {},
  onStopped(): void {},
  onClose(): void {},
}
