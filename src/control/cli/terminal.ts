/** One of the process's output streams. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** What a command knows of the world around it. */
export interface Terminal {
  readonly out: Output
  readonly err: Output
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Style {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
}

/** Colour only on terminals that want it: not when piped, not with NO_COLOR (no-color.org), not on a dumb terminal. */
export function wantsColor(output: Output, env: Terminal["env"]): boolean {
  return output.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb"
}

export function styleOf(output: Output, env: Terminal["env"]): Style {
  const on = wantsColor(output, env)
  const paint = (open: number, close: number) => (text: string) => (on ? `\x1b[${open}m${text}\x1b[${close}m` : text)
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39) }
}

/** Runs `work`; when it takes longer than `patienceMs`, says once on the error output what is going on. */
export async function withProgress<T>(terminal: Terminal, what: string, work: Promise<T>, patienceMs = 1000): Promise<T> {
  const timer = setTimeout(() => terminal.err.write(`${styleOf(terminal.err, terminal.env).dim(`${what} …`)}\n`), patienceMs)
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}

/** Rows as columns, two blanks apart; the first row is the heading, and a column with nothing below it is left out. No colour codes in the cells. */
export function table(rows: readonly (readonly string[])[]): string {
  const [heading = [], ...body] = rows
  const shown = heading.map((_, column) => column).filter(column => body.some(row => (row[column] ?? "") !== ""))
  const widths = new Map(shown.map(column => [column, Math.max(...rows.map(row => (row[column] ?? "").length))]))
  const line = (row: readonly string[]) => shown.map(column => (row[column] ?? "").padEnd(widths.get(column)!)).join("  ")
  return rows.map(row => `${line(row).trimEnd()}\n`).join("")
}
