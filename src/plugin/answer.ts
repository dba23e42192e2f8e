import type { Step } from "../flow/index.ts"
import type { FilterDeps, OptionProblem } from "./filter.ts"

/** What an answer may ask for at build time: a part of what filters may. */
export type AnswerDeps = Pick<FilterDeps, "place" | "path" | "counter" | "watchFile" | "time">

/** A destination that answers by itself: files, a fixed text, a redirection. */
export interface AnswerDefinition<Options> {
  /** Word under `to:`, folder. */
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  /** The step that answers: ANSWER when the response is set (flow's `setLocalResponse`), FAULT_VERDICT, or WAIT first. */
  build(options: Options, deps: AnswerDeps): Step
  /** Paths among the options that count from the config's directory, made absolute when the config is loaded. */
  paths?(options: Options, resolve: (path: string) => string): Options
  /** What is wrong with the options that only the world shows: a directory that is not there. `at`: keys below the options. */
  problems?(options: Options): readonly OptionProblem[]
  /** What explain prints for these options. */
  describe(options: Options): string
  /** A 2xx of it would open a tunnel for CONNECT: such requests are refused before. Default false. */
  says2xx?(options: Options): boolean
}

/** Gives a definition its type. */
export function defineAnswer<Options>(definition: AnswerDefinition<Options>): AnswerDefinition<Options> {
  return definition
}
