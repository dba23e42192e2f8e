import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FAULT } from "../../base/index.ts"
import { Exchange, type Plan, type Step } from "../../flow/index.ts"
import { fakeAnswerDeps } from "../answer-deps.fixture.ts"
import files from "./files.ts"

const root = mkdtempSync(join(tmpdir(), "bothways-files-"))
writeFileSync(join(root, "index.html"), "<p>")
mkdirSync(join(root, ".git"))
writeFileSync(join(root, ".git", "config"), "secret")
afterAll(() => rmSync(root, { recursive: true }))

const build = (options: object = {}): Step => files.build(files.options.parse({ root, ...options }), fakeAnswerDeps())

/** Status of the answer, or the code of the fault. */
async function ask(step: Step, rulePath: string): Promise<number | string> {
  const x = Object.assign(new Exchange(), { method: "GET", rulePath })
  return new Promise(resolve => {
    const end = (): number => {
      resolve(x.fault?.code ?? x.status)
      return 1
    }
    const steps = [step, end, end] as unknown as Step[]
    x.plan = { steps, respondAt: 1, peerAt: -1, logAt: 2, retry: null, route: { name: "r" } } as unknown as Plan
    x.down = { abort() {}, closeAfter() {} } as unknown as Exchange["down"]
    void import("../../flow/index.ts").then(({ begin }) => begin(x))
  })
}

describe("files", () => {
  test("a directory's index; nothing hidden, nothing above", async () => {
    const step = build()
    expect(await ask(step, "/")).toBe(200)
    for (const path of ["/.git/config", "/none", "/%2e%2e/x", "/a%00"]) expect(await ask(step, path)).toBe(FAULT.fileMissing.code)
  })

  test("a root that is not there is a warning, one that is a file an error", () => {
    const severity = (path: string) => files.problems!(files.options.parse({ root: path })).map(problem => problem.severity)
    expect([severity(root), severity(join(root, "index.html")), severity(join(root, "no"))]).toEqual([[], ["error"], ["warning"]])
  })
})
