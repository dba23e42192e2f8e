import { readDataFile } from "../base/index.ts"
import type { OptionProblem } from "../plugin/index.ts"

/** What is wrong with a file that an option at `at` names: it cannot be read, or `parse` throws. The words are those of whoever will use it. */
export function fileProblems(at: readonly (string | number)[], path: string, parse: (content: string, path: string) => unknown): OptionProblem[] {
  try {
    parse(readDataFile(path), path)
    return []
  } catch (error) {
    return [{ severity: "error", at, text: error instanceof Error ? error.message : String(error) }]
  }
}
