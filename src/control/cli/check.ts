import type { Command } from "commander"
import { type Config, loadConfig, type LoadResult, type Problem } from "../../config/index.ts"
import { findConfig } from "../config-source.ts"
import { dryBuild } from "../dry-build.ts"
import { listProblems } from "../lists/list-place.ts"
import { printProblems } from "./config-problems.ts"
import { EXIT } from "./exit-codes.ts"
import type { CommandContext } from "./program.ts"
import { styleOf, withProgress } from "./terminal.ts"

interface CheckOptions {
  readonly strict?: boolean
  readonly json?: boolean
}

export function addCheck(program: Command, context: CommandContext): void {
  program
    .command("check")
    .description("say everything that is wrong with a config, and what looks odd; starts nothing")
    .argument("[config]", "file or directory (default: as for run)")
    .option("--strict", "warnings fail too")
    .option("--json", "problems as JSON on standard output")
    .action(async (file: string | undefined, options: CheckOptions) => {
      const path = findConfig(file)
      const result = await withProgress(context, `loading ${path}`, loadConfig(path))
      context.exit(reportCheck(path, withFilters(result), options, context))
    })
}

/** What only building the filters and reading the lists can tell. */
function withFilters(result: LoadResult): LoadResult {
  if (!result.ok) return result
  const built = [...dryBuild(result.config, result.baseDir), ...listProblems(result.config)]
  if (built.length === 0) return result
  const problems = built.map(
    (problem): Problem => ({ severity: "error", ...result.place(problem.where), path: problem.where, message: problem.message }),
  )
  return { ok: false, problems: [...result.warnings, ...problems], files: result.files }
}

function reportCheck(path: string, result: LoadResult, options: CheckOptions, context: CommandContext): number {
  const problems = result.ok ? result.warnings : result.problems
  const errors = problems.filter(problem => problem.severity === "error").length
  const failed = !result.ok || (options.strict === true && problems.length > 0)
  if (options.json === true) {
    context.out.write(`${JSON.stringify({ ok: !failed, file: path, problems }, null, 2)}\n`)
    return failed ? EXIT.badConfig : EXIT.ok
  }
  printProblems(problems, null, context)
  const style = styleOf(context.out, context.env)
  const verdict = failed ? style.red("not usable") : style.green("ok")
  context.out.write(`${path}: ${verdict}, ${result.ok ? summary(result.config) : counted(errors, "error")}${warnings(problems, errors)}\n`)
  return failed ? EXIT.badConfig : EXIT.ok
}

function warnings(problems: readonly Problem[], errors: number): string {
  const count = problems.length - errors
  return count === 0 ? "" : `, ${counted(count, "warning")}`
}

function summary(config: Config): string {
  const parts = [
    counted(Object.keys(config.listeners).length, "listener"),
    counted(Object.keys(config.clusters).length, "cluster"),
    counted(config.routes.length, "route"),
  ]
  return parts.join(", ")
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`
}
