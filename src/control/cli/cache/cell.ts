const units = ["B", "KB", "MB", "GB", "TB", "PB"]

/** `1.3 GB`: octets for people, three digits at the most. 1 KB = 1024 octets. */
export function octets(count: number): string {
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US")
}

/** `71.3 %` of a share. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** Text from the wire on a terminal: what is not printable ASCII is written as \xHH, so that it cannot move the cursor. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, character => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)
}

/** `1 entry`, `2 entries`. */
export function plural(value: number, one: string, many: string): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

/** A bar for a share of `width` characters. */
export function bar(share: number, width: number): string {
  const parts = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  return "█".repeat(parts >> 3) + eighths[parts & 7]
}

/** Columns of which some are numbers, which stand to the right; `right` tells which. Colours only by `paint`, which sees the padded cell. */
export function columns(
  rows: readonly (readonly string[])[],
  right: readonly boolean[],
  paint?: (cell: string, column: number, row: number) => string,
): string {
  const widths = right.map((_, column) => Math.max(0, ...rows.map(row => (row[column] ?? "").length)))
  const cellOf = (text: string, column: number) => (right[column] === true ? text.padStart(widths[column]!) : text.padEnd(widths[column]!))
  return rows
    .map(
      (row, r) =>
        `${row
          .map((text, column) => (paint ? paint(cellOf(text, column), column, r) : cellOf(text, column)))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("")
}
