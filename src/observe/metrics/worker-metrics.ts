// HOT
import { assert, type Fault, faults } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { BODY_TUNNEL } from "../../http/index.ts"
import { bucketBoundsMs } from "./buckets.ts"
import { clearGauges } from "./gauges.ts"
import { type MetricsLayout, ROUTE } from "./layout.ts"
import { MetricsRegistry } from "./registry.ts"

const bounds = Float64Array.from(bucketBoundsMs)
const faultIndex: ReadonlyMap<string, number> = new Map(faults.map((fault, index) => [fault.code, index]))

/**
 * The region of one thread. Only that thread writes it, so plain additions do; the page reads it from another thread, and an aligned cell of
 * 8 octets is read whole on every machine that the runtime knows.
 */
export class WorkerMetrics {
  private readonly cells: Float64Array
  private readonly faultsAt: number
  private readonly unroutedAt: number

  private constructor(cells: Float64Array, registry: MetricsRegistry) {
    this.cells = cells
    this.faultsAt = registry.faults
    this.unroutedAt = registry.unrouted
  }

  /**
   * Takes over region `index`. Counters go on from where the last owner left them, so that a replaced worker never makes them fall; gauges start at 0.
   * Call it once a thread: a new layout after a reload only adds offsets.
   */
  static attach(memory: SharedArrayBuffer, index: number, layout: MetricsLayout): WorkerMetrics {
    assert((index + 1) * layout.capacity * 8 <= memory.byteLength, "the memory has a region for each thread")
    clearGauges(memory, index, layout)
    return new WorkerMetrics(new Float64Array(memory, index * layout.capacity * 8, layout.capacity), MetricsRegistry.restore(layout))
  }

  /** Adds to a counter, or moves a gauge. */
  add(offset: number, n: number): void {
    this.cells[offset]! += n
  }

  /** Puts a gauge to a value. */
  set(offset: number, value: number): void {
    this.cells[offset] = value
  }

  /** Counts a duration in the histogram at `offset`. */
  observe(offset: number, ms: number): void {
    const cells = this.cells
    // a clock that is read once a tick may show an end before its start
    const value = ms > 0 ? ms : 0
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++
    cells[offset]! += value
    cells[offset + 1 + bucket]! += 1
  }

  /** Counts a fault, of an exchange or of a connection that never had one. */
  fault(fault: Fault): void {
    const index = faultIndex.get(fault.code)
    if (index !== undefined) this.cells[this.faultsAt + index]! += 1
  }

  /** Counts an exchange that ended: its route's block and its fault. */
  exchange(x: Exchange): void {
    const cells = this.cells
    const base = x.plan === null ? this.unroutedAt : x.plan.route.metrics
    const statusClass = (x.status / 100) | 0
    cells[base + (statusClass > 0 && statusClass < 6 ? statusClass : ROUTE.noStatus)]! += 1
    // a tunnel's life says nothing of how fast we answer
    const endedAt = x.responseBody === BODY_TUNNEL ? x.headAt : x.endedAt
    this.observe(base + ROUTE.duration, endedAt - x.startedAt)
    cells[base + ROUTE.requestBytes]! += x.requestBytes
    cells[base + ROUTE.responseBytes]! += x.responseBytes
    if (x.fault !== null) this.fault(x.fault)
  }
}
