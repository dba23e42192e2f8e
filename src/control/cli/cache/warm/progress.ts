import type { CommandContext } from "../../program.ts"
import { bar, count } from "../cell.ts"

const REDRAW_MS = 100
const LINE_MS = 10_000
const BAR_WIDTH = 30

/** What a run has done so far. */
export interface Progressing {
  readonly asked: number
  readonly failed: number
}

/** Shows how far a run is: a bar on a terminal, a line now and then elsewhere. Returns what ends it. */
export function showProgress(context: CommandContext, all: number, now: Progressing): () => void {
  const { err, env } = context
  const startedAt = performance.now()
  const line = () => {
    const rate = (1000 * now.asked) / Math.max(1, performance.now() - startedAt)
    return `${count(now.asked)} of ${count(all)} asked, ${count(rate)} a second${now.failed > 0 ? `, ${count(now.failed)} failed` : ""}`
  }
  if (err.isTTY !== true || env["TERM"] === "dumb") {
    const timer = setInterval(() => err.write(`${line()}\n`), LINE_MS)
    return () => clearInterval(timer)
  }
  // back to the left, and what stood there is wiped away
  const draw = () => err.write(`\r\x1b[K${bar(now.asked / all, BAR_WIDTH).padEnd(BAR_WIDTH, "░")} ${line()}`)
  draw()
  const timer = setInterval(draw, REDRAW_MS)
  return () => {
    clearInterval(timer)
    err.write("\r\x1b[K")
  }
}
