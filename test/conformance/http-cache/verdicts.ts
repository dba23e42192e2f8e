/** A test of the suite. Who fails a required one is wrong, an optimal one slow; a check only tells which way a cache took. */
export interface SuiteTest {
  readonly id: string
  readonly group: string
  readonly kind: "required" | "optimal" | "check"
  /** Tests that have to pass for this one to say anything. */
  readonly dependsOn: readonly string[]
}

/** What the suite's client says of a test: passed, or the kind of the failure and why. */
export type Outcome = true | readonly [kind: string, why: string]

/**
 * pass, fail: of required tests; `slow`: an optimal one that did not pass; yes, no: of checks. The others say nothing about the cache:
 * `dependency`: a test that it rests on did not pass; `setup`: what it starts from did not come about; `retry`: the proxy asked twice; `untested`.
 */
export type Verdict = "pass" | "fail" | "slow" | "yes" | "no" | "dependency" | "setup" | "retry" | "untested"

/** The verdicts as the suite's own page of results has them. */
export function verdictsOf(tests: readonly SuiteTest[], outcomes: ReadonlyMap<string, Outcome>): Map<string, Verdict> {
  const byId = new Map(tests.map(test => [test.id, test]))
  const verdicts = new Map<string, Verdict>()
  const decide = (id: string): Verdict => {
    const known = verdicts.get(id)
    if (known !== undefined) return known
    const test = byId.get(id)
    if (test === undefined) throw new Error(`no test has the id ${id}`)
    const stands = test.dependsOn.every(other => ["pass", "yes"].includes(decide(other)))
    const verdict = verdictOf(test, outcomes.get(id), stands)
    verdicts.set(id, verdict)
    return verdict
  }
  for (const test of tests) decide(test.id)
  return verdicts
}

function verdictOf(test: SuiteTest, outcome: Outcome | undefined, stands: boolean): Verdict {
  if (outcome === undefined) return "untested"
  if (!stands) return "dependency"
  if (outcome !== true && outcome[0] === "Setup") return outcome[1] === "retry" ? "retry" : "setup"
  if (test.kind === "check") return outcome === true ? "yes" : "no"
  if (outcome === true) return "pass"
  return test.kind === "required" ? "fail" : "slow"
}

export interface Score {
  required: number
  requiredPassed: number
  optimal: number
  optimalPassed: number
  failed: number
  checks: number
  checksYes: number
}

export function scoreOf(tests: readonly SuiteTest[], verdicts: ReadonlyMap<string, Verdict>): Score {
  const score = { required: 0, requiredPassed: 0, optimal: 0, optimalPassed: 0, failed: 0, checks: 0, checksYes: 0 }
  for (const { id, kind } of tests) {
    const verdict = verdicts.get(id)
    score.required += Number(kind === "required")
    score.requiredPassed += Number(kind === "required" && verdict === "pass")
    score.optimal += Number(kind === "optimal")
    score.optimalPassed += Number(kind === "optimal" && verdict === "pass")
    score.failed += Number(verdict === "fail")
    score.checks += Number(kind === "check")
    score.checksYes += Number(verdict === "yes")
  }
  return score
}
