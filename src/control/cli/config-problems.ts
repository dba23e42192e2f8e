import { formatProblems, type Problem } from "../../config/index.ts"
import type { ConfigSource } from "../config-source.ts"
import { styleOf, type Terminal, wantsColor } from "./terminal.ts"

/**
 * Tells all problems of a config. One that a command built (`flags`) has no lines that the operator wrote: there the flag stands for the place,
 * where there is one.
 */
export function printProblems(problems: readonly Problem[], flags: Flags | null, terminal: Terminal): void {
  if (flags === null) return void terminal.err.write(formatProblems(problems, { colour: wantsColor(terminal.err, terminal.env) }))
  const style = styleOf(terminal.err, terminal.env)
  for (const problem of problems) {
    const word = problem.severity === "error" ? style.red("bothways:") : style.yellow("warning:")
    terminal.err.write(`${word} ${problem.path === "" ? "" : `${flagFor(problem.path, flags)}: `}${problem.message}\n`)
  }
}

type Flags = ConfigSource["flags"]

/** The flag for the innermost place around `path` that has one, else `path` itself. */
function flagFor(path: string, flags: Flags): string {
  const places = Object.keys(flags).filter(place => path.startsWith(place) && /^(?:$|[.[])/.test(path.slice(place.length)))
  const innermost = places.sort((a, b) => b.length - a.length)[0]
  return innermost === undefined ? path : flags[innermost]!
}
