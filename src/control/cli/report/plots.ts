import { escapeHtml } from "../../../flow/index.ts"

export interface Bar {
  readonly label: string
  readonly value: number
  /** A part of the value, drawn darker. */
  readonly part: number
  /** Said when the pointer is there. */
  readonly title: string
}

const ROW = 24
const LABEL_WIDTH = 220
const WIDTH = 760

/** Lying bars, one a row, the label left and the value right of each. */
export function barPlot(bars: readonly Bar[], shown: (value: number) => string): string {
  const most = Math.max(1, ...bars.map(({ value }) => value))
  const room = WIDTH - LABEL_WIDTH - 90
  const rows = bars.map(({ label, value, part, title }, i) => {
    const y = i * ROW
    const width = (value / most) * room
    const cut = label.length > 32 ? `${label.slice(0, 31)}…` : label
    return (
      `<g><title>${escapeHtml(title)}</title><text x="${LABEL_WIDTH - 8}" y="${y + 16}" text-anchor="end">${escapeHtml(cut)}</text>` +
      `<rect class="all" x="${LABEL_WIDTH}" y="${y + 4}" width="${width.toFixed(1)}" height="16" rx="2"/>` +
      `<rect class="part" x="${LABEL_WIDTH}" y="${y + 4}" width="${(value === 0 ? 0 : (part / value) * width).toFixed(1)}" height="16" rx="2"/>` +
      `<text class="value" x="${(LABEL_WIDTH + width + 6).toFixed(1)}" y="${y + 16}">${escapeHtml(shown(value))}</text></g>`
    )
  })
  return picture(WIDTH, bars.length * ROW, rows.join(""))
}

const HEIGHT = 180

/** Standing bars over time: at most some hundred; every few have a label. */
export function timePlot(bars: readonly Bar[], shown: (value: number) => string): string {
  const most = Math.max(1, ...bars.map(({ value }) => value))
  const step = (WIDTH - 60) / Math.max(1, bars.length)
  const every = Math.max(1, Math.ceil(bars.length / 12))
  const columns = bars.map(({ label, value, part, title }, i) => {
    const x = 60 + i * step
    const height = (value / most) * HEIGHT
    const partHeight = value === 0 ? 0 : (part / value) * height
    const name = i % every === 0 ? `<text x="${(x + step / 2).toFixed(1)}" y="${HEIGHT + 26}" text-anchor="middle">${escapeHtml(label)}</text>` : ""
    const box = (kind: string, of: number): string =>
      `<rect class="${kind}" x="${(x + 1).toFixed(1)}" y="${(HEIGHT + 8 - of).toFixed(1)}" width="${Math.max(1, step - 2).toFixed(1)}" height="${of.toFixed(1)}"/>`
    return `<g><title>${escapeHtml(title)}</title>${box("all", height)}${box("part", partHeight)}${name}</g>`
  })
  const axis = [0, 0.5, 1].map(share => {
    const y = HEIGHT + 8 - share * HEIGHT
    return `<line class="grid" x1="60" x2="${WIDTH}" y1="${y}" y2="${y}"/><text class="value" x="54" y="${y + 4}" text-anchor="end">${escapeHtml(shown(most * share))}</text>`
  })
  return picture(WIDTH, HEIGHT + 34, axis.join("") + columns.join(""))
}

function picture(width: number, height: number, content: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">${content}</svg>`
}
