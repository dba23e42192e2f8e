export interface SignalActions {
  /** SIGTERM, or the first SIGINT: finish what runs, then leave. */
  drain(signal: string): void
  /** The second SIGINT: leave now. */
  stop(): void
  /** SIGHUP. */
  reload(): void
  /** SIGUSR1. */
  reopenLogs(): void
  /** SIGUSR2: the program on disk takes over. */
  upgrade(): void
}

type SignalName = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2"

/** The part of `process` that is needed. */
export interface SignalSource {
  on(signal: SignalName, listener: () => void): unknown
  off(signal: SignalName, listener: () => void): unknown
}

/** Ties the process signals to what they mean. Returns the function that unties them. */
export function handleSignals(actions: SignalActions, source: SignalSource = process): () => void {
  let interrupted = false
  const listeners: [SignalName, () => void][] = [
    ["SIGTERM", () => actions.drain("SIGTERM")],
    [
      "SIGINT",
      () => {
        if (interrupted) return actions.stop()
        interrupted = true
        actions.drain("SIGINT")
      },
    ],
    ["SIGHUP", () => actions.reload()],
    ["SIGUSR1", () => actions.reopenLogs()],
    ["SIGUSR2", () => actions.upgrade()],
  ]
  for (const [signal, listener] of listeners) source.on(signal, listener)
  return () => {
    for (const [signal, listener] of listeners) source.off(signal, listener)
  }
}
