import { describe, expect, test } from "bun:test"
import type { Config } from "../config/index.ts"
import type { ReloadProblem } from "./protocol.ts"
import { type Candidate, describeProblem, type LoadOutcome, Reloader, type ReloadParts, type Staged } from "./reload.ts"
import type { Prepare } from "./workers/worker-slot.ts"

const problem = (message: string): ReloadProblem => ({ message, where: "listeners.web.bind", expected: "" })
const candidate = (mark: string, file: string | null = null): Candidate => ({
  config: { mark, listeners: {}, clusters: {}, caches: {}, routes: [], workers: mark } as unknown as Config,
  file,
  baseDir: "/etc",
  warnings: [],
})
const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as ReloadParts["log"]

/** Parts that write down what was asked of them. */
function fake(loads: (LoadOutcome | Error)[], set: Partial<Record<"stage" | "prepare", ReloadProblem[]>> = {}) {
  const steps: string[] = []
  const runs: boolean[] = []
  let gate: Promise<void> = Promise.resolve()
  const parts: ReloadParts = {
    async load() {
      await gate
      const next = loads.shift() ?? new Error("nothing to load")
      if (next instanceof Error) throw next
      steps.push("candidate" in next ? `load ${(next.candidate.config as unknown as { mark: string }).mark}` : "load refused")
      return next
    },
    async stage(_candidate, version): Promise<Staged> {
      steps.push(`stage ${version}`)
      return {
        problems: set.stage ?? [],
        peers: {},
        clusterSlots: {},
        limits: {},
        caches: { seed: 0, byName: {} },
        zones: {},
        layout: { capacity: 0, blocks: [] },
        commit: () => void steps.push(`staged ${version}`),
        undo: () => void steps.push(`undo ${version}`),
      }
    },
    workers: {
      async prepare(message: Prepare) {
        steps.push(`prepare ${message.version}`)
        return set.prepare ?? []
      },
      async commit(message: Prepare) {
        steps.push(`commit ${message.version}`)
      },
      discard: version => void steps.push(`discard ${version}`),
    },
    refresh: () => void steps.push("refresh"),
    finished: outcome => void runs.push(outcome.ok),
    log: silent,
  }
  return {
    parts,
    steps,
    runs,
    hold: () => {
      let open = () => {}
      gate = new Promise(resolve => {
        open = resolve
      })
      return () => open()
    },
  }
}

describe("two-phase reload", () => {
  test("load, stage, prepare on all, commit on all, in this order", async () => {
    const { parts, steps } = fake([{ candidate: candidate("a") }])
    const reloader = new Reloader(parts)
    expect(await reloader.request("boot")).toEqual({ ok: true, version: 1, changed: true, changes: "the first config", warnings: [] })
    expect(steps).toEqual(["load a", "stage 1", "prepare 1", "commit 1", "staged 1"])
    expect(reloader.version).toBe(1)
    expect(reloader.last).toMatchObject({ trigger: "boot", outcome: { ok: true } })
  })

  test("a config that does not load changes nothing and says why", async () => {
    const { parts, steps } = fake([{ candidate: candidate("a") }, { problems: [problem("broken")] }])
    const reloader = new Reloader(parts)
    await reloader.request("boot")
    expect(await reloader.request("SIGHUP")).toEqual({ ok: false, version: 1, problems: [problem("broken")] })
    expect(steps.slice(5)).toEqual(["load refused"])
    expect((reloader.live!.config as unknown as { mark: string }).mark).toBe("a")
  })

  test("a staging problem, such as a taken port, never reaches the workers", async () => {
    const { parts, steps } = fake([{ candidate: candidate("a") }], { stage: [problem("port taken")] })
    const reloader = new Reloader(parts)
    expect((await reloader.request("boot")).ok).toBe(false)
    expect(steps).toEqual(["load a", "stage 1", "undo 1"])
    expect(reloader.version).toBe(0)
  })

  test("one worker that refuses: discarded everywhere, staged things given back, old version live", async () => {
    const set: Partial<Record<"stage" | "prepare", ReloadProblem[]>> = {}
    const { parts, steps } = fake([{ candidate: candidate("a") }, { candidate: candidate("b") }, { candidate: candidate("c") }], set)
    const reloader = new Reloader(parts)
    await reloader.request("boot")
    set.prepare = [problem("no such certificate")]
    expect(await reloader.request("file")).toEqual({ ok: false, version: 1, problems: [problem("no such certificate")] })
    expect(steps.slice(5)).toEqual(["load b", "stage 2", "prepare 2", "discard 2", "undo 2"])
    set.prepare = []
    expect(await reloader.request("file")).toMatchObject({ ok: true, version: 3 })
  })

  test("the same config again reads certificates anew and keeps the version", async () => {
    const { parts, steps } = fake([{ candidate: candidate("a") }, { candidate: candidate("a") }])
    const reloader = new Reloader(parts)
    await reloader.request("boot")
    expect(await reloader.request("SIGHUP")).toMatchObject({ ok: true, version: 1, changed: false })
    expect(steps.slice(5)).toEqual(["load a", "refresh"])
  })

  test("a TypeScript config always counts as changed: its functions cannot be compared", async () => {
    const { parts } = fake([{ candidate: candidate("a", "/etc/bothways.config.ts") }, { candidate: candidate("a", "/etc/bothways.config.ts") }])
    const reloader = new Reloader(parts)
    await reloader.request("boot")
    expect(await reloader.request("SIGHUP")).toMatchObject({ version: 2, changed: true })
  })

  test("requests during a reload share the next one, which loads after they asked; nothing is mixed", async () => {
    const { parts, steps, runs, hold } = fake([{ candidate: candidate("a") }, { candidate: candidate("b") }, { candidate: candidate("never") }])
    const open = hold()
    const reloader = new Reloader(parts)
    const first = reloader.request("file")
    const second = reloader.request("SIGHUP")
    const third = reloader.request("admin")
    const fourth = reloader.request("SIGHUP")
    open()
    expect(await first).toMatchObject({ version: 1 })
    expect(await second).toMatchObject({ version: 2 })
    expect(await third).toBe(await second)
    expect(await fourth).toBe(await second)
    expect(reloader.last!.trigger).toBe("SIGHUP, admin")
    expect(runs).toEqual([true, true])
    expect(steps).toEqual(["load a", "stage 1", "prepare 1", "commit 1", "staged 1", "load b", "stage 2", "prepare 2", "commit 2", "staged 2"])
  })

  test("what throws on the way is a refusal, and the next reload works", async () => {
    const { parts } = fake([new Error("disk on fire"), { candidate: candidate("a") }])
    const reloader = new Reloader(parts)
    const outcome = await reloader.request("boot")
    expect(outcome.ok).toBe(false)
    if (!outcome.ok) expect(outcome.problems[0]!.message).toContain("disk on fire")
    expect((await reloader.request("file")).ok).toBe(true)
  })

  test("after close nothing is loaded, and a reload under way is not committed", async () => {
    const { parts, steps, hold } = fake([{ candidate: candidate("a") }])
    const open = hold()
    const reloader = new Reloader(parts)
    const running = reloader.request("file")
    reloader.close("draining")
    open()
    expect((await running).ok).toBe(false)
    expect(steps).not.toContain("commit 1")
    expect(await reloader.request("SIGHUP")).toMatchObject({ ok: false, problems: [{ message: "draining" }] })
  })
})

test("a problem is told in one line", () => {
  expect(describeProblem({ message: "unknown key", where: "a.yaml:3:5", expected: "bind" })).toBe("a.yaml:3:5: unknown key; expected bind")
  expect(describeProblem({ message: "unknown key", where: "", expected: "" })).toBe("unknown key")
})
