import { describe, expect, test } from "bun:test"
import { runCase, type Target } from "./case.ts"
import { sections } from "./sections.ts"

/** `section: name` of every case. */
export const caseNames: readonly string[] = sections.flatMap(({ title, cases }) => cases.map(({ name }) => `${title}: ${name}`))

/** Makes a test of every case. Those of `failing` have to fail, so that the list is shortened when they no longer do. */
export function serverSuite(target: () => Target, failing: readonly string[] = []): void {
  for (const { title, cases } of sections)
    describe(title, () => {
      for (const each of cases) {
        const fails = failing.includes(`${title}: ${each.name}`)
        const run = (): Promise<void> => runCase(each, target())
        test(fails ? `${each.name} (known to fail)` : each.name, async () => (fails ? expect(run()).rejects.toThrow() : run()))
      }
    })
}

/** Runs all cases at once and gives the names of those that failed, with the reason. */
export async function failuresOf(target: Target): Promise<Map<string, string>> {
  const failed = new Map<string, string>()
  const all = sections.flatMap(({ title, cases }) =>
    cases.map(each => runCase(each, target).catch((error: unknown) => void failed.set(`${title}: ${each.name}`, String(error)))),
  )
  await Promise.all(all)
  return failed
}
