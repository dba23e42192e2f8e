import { runSuite, startSuiteServer, suiteTests } from "./suite.ts"
import { type SubjectName, subjects } from "./subjects.ts"
import { type Outcome, type Score, type SuiteTest, scoreOf, type Verdict, verdictsOf } from "./verdicts.ts"

/** One run of the suite. */
export interface Measured {
  readonly tests: readonly SuiteTest[]
  readonly outcomes: ReadonlyMap<string, Outcome>
  readonly verdicts: ReadonlyMap<string, Verdict>
  readonly score: Score
}

/** Runs all of the suite through the subject of this name. Takes about 15 s, most of it the suite's own waiting. */
export async function measure(name: SubjectName): Promise<Measured> {
  await using server = await startSuiteServer()
  await using subject = await subjects[name](server.address)
  const tests = await suiteTests()
  const outcomes = await runSuite(subject)
  const verdicts = verdictsOf(tests, outcomes)
  return { tests, outcomes, verdicts, score: scoreOf(tests, verdicts) }
}

/** Tests with this verdict, and what the suite's client said. */
export function having(verdict: Verdict, { verdicts, outcomes }: Measured): string[] {
  return [...verdicts].filter(([, each]) => each === verdict).map(([id]) => `${id}: ${String(outcomes.get(id))}`)
}
