import { cellsOf, cellsOfBlock, type MetricsLayout } from "./layout.ts"

/**
 * Puts every gauge of one region to 0. For a thread that starts, and for the control thread when a worker died: its open connections are gone
 * while nobody has taken over the region yet.
 */
export function clearGauges(memory: SharedArrayBuffer, index: number, layout: MetricsLayout): void {
  const cells = new Float64Array(memory, index * layout.capacity * 8, layout.capacity)
  for (const block of layout.blocks) {
    let at = block.offset
    for (const cell of cellsOfBlock(block)) {
      if (cell.kind === "gauge") cells[at] = 0
      at += cellsOf(cell.kind)
    }
  }
}
