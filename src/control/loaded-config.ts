import { availableParallelism } from "node:os"
import type { Config, Problem } from "../config/index.ts"
import type { ReloadProblem } from "./protocol.ts"

/** A problem of the loader as the protocol carries it. The message already says what was expected. */
export function reloadProblem(problem: Problem): ReloadProblem {
  const path = problem.path === "" ? "" : `${problem.path}: `
  return { where: `${problem.file}:${problem.line}:${problem.column}`, message: path + problem.message, expected: "" }
}

/** How many worker threads the config asks for. */
export function workersOf(config: Config): number {
  return config.workers === "auto" ? availableParallelism() : config.workers
}
