import { KeyedTable, KIND_TALLY } from "../base/index.ts"

/** Memory that all workers share, by the key under which filters ask for it. */
export type SharedZones = Readonly<Record<string, SharedArrayBuffer>>

/** Keeps the memory that filters of the live config share over reloads: the same as long as key and size stay. */
export class Zones {
  #live: SharedZones = {}

  /** Memory for a candidate. */
  stage(wanted: ReadonlyMap<string, number>): { readonly zones: SharedZones; commit(): void } {
    const zones = Object.fromEntries(
      [...wanted].map(([key, bytes]) => {
        const known = this.#live[key]
        return [key, known?.byteLength === bytes ? known : new SharedArrayBuffer(bytes)]
      }),
    )
    return {
      zones,
      commit: () => {
        this.#live = zones
      },
    }
  }

  /** Takes back what a dead worker held, where the memory itself says that it counts by worker. */
  forgetWorker(index: number): void {
    for (const memory of Object.values(this.#live)) if (KeyedTable.kindOf(memory) === KIND_TALLY) KeyedTable.open(memory).forgetWorker(index)
  }

  /** Memory of the live config, for what the control thread reads or sets in it. */
  get(key: string): SharedArrayBuffer | undefined {
    return this.#live[key]
  }
}
