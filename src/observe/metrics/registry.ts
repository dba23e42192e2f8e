import { assert } from "../../base/index.ts"
import { cellsOfBlock, cellsOfShape, type MetricsBlock, type MetricsLayout, type ShapeName, shapes } from "./layout.ts"

/** Cells at the start of each region that nobody reads: where everything goes that found no room. As large as the largest block. */
export const SCRATCH_CELLS = Math.max(...(Object.keys(shapes) as (keyof typeof shapes)[]).map(cellsOfShape))

/** 16 MB a region: about 60,000 routes or 90,000 peers. Virtual memory: pages that were never written cost nothing. */
export const regionBytesDefault = 16 * 1024 * 1024

type Labels = Readonly<Record<string, string>>

interface Entry extends MetricsBlock {
  /** Number of the reload that last asked for it. */
  touched: number
}

/** Memory for `workers` regions and one more, the last, for the control thread. */
export function createMetricsMemory(workers: number, regionBytes = regionBytesDefault): SharedArrayBuffer {
  assert(regionBytes % 8 === 0 && regionBytes >= 64 * 1024, "a region is whole cells, at least 64 KB")
  return new SharedArrayBuffer((workers + 1) * regionBytes)
}

/**
 * Gives every series its place. A series that was asked for once keeps its place while the process lives, so a reload resets nothing.
 * The control thread owns the one that allocates; workers `restore` a frozen one from the posted layout and ask it the same questions.
 * When the region is full, or a frozen registry does not know the series, the answer is the scratch block and `refused` rises.
 */
export class MetricsRegistry {
  readonly capacity: number
  /** Series without a place. */
  refused = 0
  /** Offset of the first of the faults' counters, in the order of the table. */
  readonly faults: number
  readonly process: number
  /** The block of requests that met no route. */
  readonly unrouted: number
  private readonly byKey = new Map<string, Entry>()
  private readonly frozen: boolean
  private next = SCRATCH_CELLS
  private reload = 0
  private visibleSince = 0

  /** `capacity` in cells of 8 octets; `blocks` of a posted layout make it a frozen one. */
  constructor(capacity = regionBytesDefault / 8, blocks: readonly MetricsBlock[] | null = null) {
    this.capacity = capacity
    for (const block of blocks ?? []) this.byKey.set(keyOf(block.shape, block.name, block.labels), { ...block, touched: 0 })
    this.frozen = blocks !== null
    this.faults = this.place("faults", "", "", {})
    this.process = this.place("process", "", "", {})
    this.unrouted = this.route("")
  }

  static restore(layout: MetricsLayout): MetricsRegistry {
    return new MetricsRegistry(layout.capacity, layout.blocks)
  }

  /** A copy for the workers, as of now. */
  get layout(): MetricsLayout {
    const blocks = [...this.byKey.values()].map(({ shape, name, help, labels, offset }) => ({ shape, name, help, labels, offset }))
    return { capacity: this.capacity, blocks }
  }

  /** Offset of the block for a route, what `RouteInfo.metrics` holds. Routes of one name share it. */
  route(name: string): number {
    return this.place("route", "", "", { route: name })
  }

  cluster(name: string): number {
    return this.place("cluster", "", "", { cluster: name })
  }

  peer(cluster: string, peer: string): number {
    return this.place("peer", "", "", { cluster, peer })
  }

  /** Offset of the block for a route's cache. */
  cache(route: string): number {
    return this.place("cache", "", "", { route })
  }

  listener(name: string): number {
    return this.place("listener", "", "", { listener: name })
  }

  /** Offset of a counter on its own, `bothways_<name>_total` on the page. */
  counter(name: string, help: string, labels: Labels = {}): number {
    return this.place("counter", name, help, labels)
  }

  /** Offset of a gauge on its own, `bothways_<name>` on the page: the sum over the threads. */
  gauge(name: string, help: string, labels: Labels = {}): number {
    return this.place("gauge", name, help, labels)
  }

  /** A reload begins: what is not asked for until `commit` leaves the page then, but keeps its place and value. */
  begin(): void {
    this.reload++
  }

  /** The reload succeeded. A reload that failed needs no call: everything stays on the page. */
  commit(): void {
    this.visibleSince = this.reload
  }

  /** Takes a block off the page until somebody asks for it again: a peer that its name no longer resolves to. */
  hide(offset: number): void {
    for (const entry of this.byKey.values()) if (entry.offset === offset) entry.touched = -1
  }

  /** The blocks that the page shows. */
  visible(): MetricsBlock[] {
    return [...this.byKey.values()].filter(entry => entry.touched >= this.visibleSince || isFixed(entry))
  }

  private place(shape: ShapeName, name: string, help: string, labels: Labels): number {
    const key = keyOf(shape, name, labels)
    const known = this.byKey.get(key)
    if (known !== undefined) {
      known.touched = this.reload
      return known.offset
    }
    const cells = cellsOfShape(shape)
    if (this.frozen || this.next + cells > this.capacity) {
      this.refused++
      return 0
    }
    const entry: Entry = { shape, name, help, labels, offset: this.next, touched: this.reload }
    assertNames(entry)
    this.next += cells
    this.byKey.set(key, entry)
    return entry.offset
  }
}

function isFixed(block: MetricsBlock): boolean {
  return block.shape === "faults" || block.shape === "process" || (block.shape === "route" && block.labels["route"] === "")
}

function keyOf(shape: ShapeName, name: string, labels: Labels): string {
  return JSON.stringify([shape, name, Object.entries(labels)])
}

const builtIn = new Set(Object.values(shapes).flatMap(cells => cells.map(cell => cell.metric)))

function assertNames(block: MetricsBlock): void {
  for (const label of Object.keys(block.labels)) assert(/^[a-z][a-z0-9_]*$/.test(label) && label !== "le", "a label is lower case and not le")
  if (block.name === "") return
  assert(/^[a-z][a-z0-9_]*$/.test(block.name), "the name of a metric is lower case with underscores")
  assert(!builtIn.has(cellsOfBlock(block)[0]!.metric), "a metric of this name exists already")
  assert(block.shape === "counter" || !block.name.endsWith("_total"), "only counters end in _total")
}
