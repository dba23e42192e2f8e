import { bucketBoundsMs } from "./buckets.ts"
import { type Cell, cellsOf, cellsOfBlock, type MetricKind, type MetricsBlock, type ShapeName } from "./layout.ts"
import type { MetricsRegistry } from "./registry.ts"

/** A value that the control thread knows by itself: versions, reloads, health. */
export interface ExtraSample {
  readonly metric: string
  readonly kind: "counter" | "gauge"
  readonly help: string
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

interface Family {
  readonly kind: MetricKind
  readonly help: string
  readonly lines: string[]
}

const order: readonly ShapeName[] = ["process", "listener", "route", "cluster", "peer", "cache", "faults", "counter", "gauge"]

/** The text exposition format 0.0.4 (Content-Type `text/plain; version=0.0.4; charset=utf-8`): the sums over all regions of `memory`, then `extra`. Control thread only. */
export function renderPrometheus(registry: MetricsRegistry, memory: SharedArrayBuffer, extra: readonly ExtraSample[] = []): string {
  const families = new Map<string, Family>()
  const regions = regionsOf(memory, registry.capacity)
  const blocks = registry.visible()
  for (const shape of order) for (const block of blocks) if (block.shape === shape) addBlock(families, block, regions)
  const refused: ExtraSample = {
    metric: "bothways_metrics_refused",
    kind: "gauge",
    help: "Series that found no room in the metrics memory.",
    value: registry.refused,
  }
  for (const sample of [refused, ...extra]) {
    familyOf(families, sample).lines.push(`${sample.metric}${labelText(sample.labels ?? {})} ${numberText(sample.value)}\n`)
  }
  let page = ""
  for (const [metric, family] of families) {
    page += `# HELP ${metric} ${escapeHelp(family.help)}\n# TYPE ${metric} ${family.kind}\n${family.lines.join("")}`
  }
  return page
}

/** Sum over all threads of one cell. Control thread only. */
export function sumCell(memory: SharedArrayBuffer, capacity: number, offset: number): number {
  return regionsOf(memory, capacity).reduce((sum, region) => sum + region[offset]!, 0)
}

function regionsOf(memory: SharedArrayBuffer, capacity: number): Float64Array[] {
  const regions: Float64Array[] = []
  for (let at = 0; at + capacity * 8 <= memory.byteLength; at += capacity * 8) regions.push(new Float64Array(memory, at, capacity))
  return regions
}

function familyOf(families: Map<string, Family>, of: { metric: string; kind: MetricKind; help: string }): Family {
  let family = families.get(of.metric)
  if (family === undefined) families.set(of.metric, (family = { kind: of.kind, help: of.help, lines: [] }))
  return family
}

function addBlock(families: Map<string, Family>, block: MetricsBlock, regions: readonly Float64Array[]): void {
  let at = block.offset
  for (const cell of cellsOfBlock(block)) {
    const labels = { ...block.labels, ...cell.labels }
    const lines = familyOf(families, cell).lines
    if (cell.kind === "histogram") lines.push(histogramText(cell, labels, at, regions))
    else lines.push(`${cell.metric}${labelText(labels)} ${numberText(sumAt(regions, at))}\n`)
    at += cellsOf(cell.kind)
  }
}

function histogramText(cell: Cell, labels: Readonly<Record<string, string>>, at: number, regions: readonly Float64Array[]): string {
  let text = ""
  let count = 0
  for (let i = 0; i <= bucketBoundsMs.length; i++) {
    count += sumAt(regions, at + 1 + i)
    const bound = bucketBoundsMs[i]
    text += `${cell.metric}_bucket${labelText({ ...labels, le: bound === undefined ? "+Inf" : String(bound / 1000) })} ${numberText(count)}\n`
  }
  const plain = labelText(labels)
  return `${text}${cell.metric}_sum${plain} ${numberText(sumAt(regions, at) / 1000)}\n${cell.metric}_count${plain} ${numberText(count)}\n`
}

function sumAt(regions: readonly Float64Array[], at: number): number {
  let sum = 0
  for (const region of regions) sum += region[at]!
  return sum
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return parts.length === 0 ? "" : `{${parts.join(",")}}`
}

// Half a surrogate pair cannot be written as UTF-8.
function escapeLabel(value: string): string {
  return value.toWellFormed().replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
}

function numberText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}
