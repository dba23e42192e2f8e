import { expect, test } from "bun:test"
import { figureTable, openTests, withSection } from "./figures.ts"
import { runSuite, startSuiteServer, suiteTests } from "./suite.ts"
import { subjects } from "./subjects.ts"
import { type Outcome, type SuiteTest, scoreOf, type Verdict, verdictsOf } from "./verdicts.ts"

// That the suite can pass and can fail, before it says anything about us.

const ids = ["freshness-none", "freshness-max-age", "freshness-expires-future", "freshness-expires-present", "vary-syntax-star-star"]

async function verdicts(outcomes: ReadonlyMap<string, Outcome>): Promise<Verdict[]> {
  const all = verdictsOf(await suiteTests(), outcomes)
  return ids.map(id => all.get(id)!)
}

test("without a cache nothing of these is wrong, and nothing quick", async () => {
  await using server = await startSuiteServer()
  const outcomes = await runSuite({ host: server.address }, ids)
  expect(await verdicts(outcomes)).toEqual(["yes", "slow", "slow", "pass", "pass"])
}, 30_000)

test("nginx keeps what it may, and some of what it may not", async () => {
  await using server = await startSuiteServer()
  await using nginx = await subjects.nginx(server.address)
  const outcomes = await runSuite(nginx, ids)
  expect(await verdicts(outcomes)).toEqual(["yes", "pass", "pass", "fail", "fail"])
}, 30_000)

test("a forward proxy is asked in absolute-form", async () => {
  await using server = await startSuiteServer()
  await using squid = await subjects["squid-forward"](server.address)
  const outcomes = await runSuite(squid, ids)
  expect(await verdicts(outcomes)).toEqual(["yes", "pass", "pass", "pass", "pass"])
}, 30_000)

test("a proxy that nobody reaches passes nothing", async () => {
  const outcomes = await runSuite({ host: "127.0.0.1:1" }, ids)
  expect((await verdicts(outcomes)).filter(each => each === "pass" || each === "yes")).toEqual([])
}, 30_000)

const suite: SuiteTest[] = [
  { id: "base", group: "a", kind: "required", dependsOn: [] },
  { id: "kept", group: "a", kind: "optimal", dependsOn: ["base"] },
  { id: "way", group: "b", kind: "check", dependsOn: [] },
  { id: "far", group: "b", kind: "required", dependsOn: ["kept", "way"] },
]
const judge = (outcomes: Record<string, Outcome>): string => [...verdictsOf(suite, new Map(Object.entries(outcomes))).values()].join(" ")

test("verdicts: by kind, by what a test rests on, and not when it did not come to that", () => {
  const wrong = ["Assertion", "it came from the cache"] as const
  expect(judge({ base: true, kept: true, way: true, far: true })).toBe("pass pass yes pass")
  expect(judge({ base: wrong, kept: wrong, way: wrong, far: wrong })).toBe("fail dependency no dependency")
  expect(judge({ base: true, kept: wrong, way: true, far: true })).toBe("pass slow yes dependency")
  expect(judge({ base: ["AbortError", "it took too long"], kept: true, way: wrong, far: true })).toBe("fail dependency no dependency")
  expect(judge({ base: ["Setup", "status"], kept: true, way: ["Setup", "retry"] })).toBe("setup dependency retry untested")
  const outcomes = new Map<string, Outcome>([
    ["base", true],
    ["kept", true],
    ["way", true],
    ["far", wrong],
  ])
  const score = scoreOf(suite, verdictsOf(suite, outcomes))
  expect(score).toEqual({ required: 2, requiredPassed: 1, optimal: 1, optimalPassed: 1, failed: 1, checks: 1, checksYes: 1 })
})

test("the table counts by group, and says how many are wrong", () => {
  const outcomes = new Map<string, Outcome>([
    ["base", true],
    ["kept", true],
    ["way", true],
    ["far", ["Assertion", "it came from the cache"]],
  ])
  const verdicts = verdictsOf(suite, outcomes)
  const column = { title: "x", measured: { tests: suite, outcomes, verdicts, score: scoreOf(suite, verdicts) } }
  const rows = ["| a | 1 + 1, 0 | 1 + 1 |", "| b | 1 + 0, 1 | 0 + 0, 1 wrong |", "| all | 2 + 1, 1 | 1 + 1, 1 wrong |"]
  expect(figureTable([column])).toBe(["| group | tests | x |", "|---|--:|--:|", ...rows].join("\n"))
  expect(openTests(column)).toBe("x, not passed:\n\n* fail (1): `far`")
  const marked = "before\n<!-- npm: written by test/conformance/http-cache/write-figures.mjs -->\nold\n<!-- end of npm -->\nafter\n"
  expect(withSection(marked, "npm", "new")).toBe(marked.replace("\nold\n", "\n\nnew\n\n"))
  expect(() => withSection(marked, "newest", "new")).toThrow("the page has no section newest")
})
