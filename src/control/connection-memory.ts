import type { Config } from "../config/index.ts"
import { ConnectionLimits, type LimitOptions } from "../net/index.ts"

/** A listener's counts of open connections: memory that all workers share, and the limits that it was made for. */
export interface ListenerLimits {
  /** The same number is the same memory, for whatever limits: what is posted arrives as another object each time. */
  readonly id: number
  readonly memory: SharedArrayBuffer
  readonly options: LimitOptions
}

let lastId = 0

export type LimitsByListener = Readonly<Record<string, ListenerLimits>>

/** Makes the memory for a config's listeners. Counts go on over a reload, unless a limit for each client came, went or grew out of its table. */
export function limitsOf(config: Config, workers: number, before: LimitsByListener): LimitsByListener {
  return Object.fromEntries(
    Object.entries(config.listeners).map(([name, { limits }]) => {
      const options: LimitOptions = { connectionsMax: limits.connectionsMax, perClientMax: limits.connectionsPerClientMax, workers }
      const known = before[name]
      if (known !== undefined && ConnectionLimits.fits(known.memory, options)) return [name, { ...known, options }]
      return [name, { id: ++lastId, memory: ConnectionLimits.share(options), options }]
    }),
  )
}

/** Takes back what a worker that died had open. */
export function forgetConnections(limits: LimitsByListener, worker: number): void {
  for (const { memory, options } of Object.values(limits)) new ConnectionLimits(memory, options, worker).forgetWorker(worker)
}
