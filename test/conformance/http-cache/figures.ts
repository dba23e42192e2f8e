import type { Measured } from "./measure.ts"
import { type Score, type SuiteTest, scoreOf } from "./verdicts.ts"

/** A column of the table: a proxy, and one run through it. */
export interface Column {
  readonly title: string
  readonly measured: Measured
}

/** The table of docs/conformance-cache.md: a row for each group of the suite, and one for all of them. */
export function figureTable(columns: readonly Column[]): string {
  const tests = columns[0]!.measured.tests
  const groups = [...new Set(tests.map(test => test.group))]
  const rows = groups.map(group => [group, columns, tests.filter(test => test.group === group)] satisfies Row)
  const lines = [...rows, ["all", columns, tests] satisfies Row].map(rowOf)
  const titles = ["group", "tests", ...columns.map(column => column.title)]
  return [`| ${titles.join(" | ")} |`, `|---|${"--:|".repeat(titles.length - 1)}`, ...lines].join("\n")
}

type Row = [name: string, columns: readonly Column[], tests: readonly SuiteTest[]]

function rowOf([name, columns, tests]: Row): string {
  const scores = columns.map(({ measured }) => scoreOf(tests, measured.verdicts))
  const { required, optimal, checks } = scores[0]!
  return `| ${[name, `${required} + ${optimal}, ${checks}`, ...scores.map(cellOf)].join(" | ")} |`
}

/** `12 + 4`: required and optimal tests passed; `, 1 wrong`: required ones failed. */
export function cellOf(score: Score): string {
  const passed = `${score.requiredPassed} + ${score.optimalPassed}`
  return score.failed > 0 ? `${passed}, ${score.failed} wrong` : passed
}

/** The required and optimal tests that did not pass, one line for each verdict. */
export function openTests({ title, measured }: Column): string {
  const lines = (["fail", "setup", "retry", "untested", "dependency", "slow"] as const).flatMap(verdict => {
    const ids = measured.tests.filter(test => test.kind !== "check" && measured.verdicts.get(test.id) === verdict).map(test => `\`${test.id}\``)
    return ids.length === 0 ? [] : [`* ${verdict} (${ids.length}): ${ids.join(", ")}`]
  })
  return `${title}, not passed:\n\n${lines.length === 0 ? "* none" : lines.join("\n")}`
}

/** `page` with what stands between the markers of `section` replaced. */
export function withSection(page: string, section: string, text: string): string {
  const [begin, end] = [`<!-- ${section}: written by test/conformance/http-cache/write-figures.mjs -->`, `<!-- end of ${section} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no section ${section}`)
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`
}
