import { formatProblems, type Problem } from "../../config/index.ts"
import { styleOf, type Terminal, wantsColor } from "./terminal.ts"

/** Tells all problems of a config. One that a command built has no lines that the operator wrote, so its places are left out. */
export function printProblems(problems: readonly Problem[], fromFile: boolean, terminal: Terminal): void {
  if (fromFile) return void terminal.err.write(formatProblems(problems, { colour: wantsColor(terminal.err, terminal.env) }))
  const style = styleOf(terminal.err, terminal.env)
  for (const problem of problems) {
    const word = problem.severity === "error" ? style.red("bothways:") : style.yellow("warning:")
    terminal.err.write(`${word} ${problem.path === "" ? "" : `${problem.path}: `}${problem.message}\n`)
  }
}
