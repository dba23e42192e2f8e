import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Log } from "../../base/index.ts"
import { type CanaryConfig, type SplitConfig, SplitZone } from "../../config/index.ts"
import { CanaryRun } from "./canary-run.ts"
import { ShareFile } from "./share-file.ts"

const canary: CanaryConfig = {
  steps: [0.1, 0.5, 1],
  every: 1000,
  window: null,
  auto: true,
  analysis: { samplesMin: 20, alpha: 0.01, errors: { difference: 0.01 }, latency: null },
}

function splitOf(weights: readonly [number, number], of: Partial<CanaryConfig> | null = {}): SplitConfig {
  const arms = weights.map((weight, i) => ({ name: ["stable", "canary"][i]!, cluster: `c${i}`, weight, match: null }))
  return { arms, stick: null, salt: "", force: null, canaryArm: 1, canary: of === null ? null : { ...canary, ...of }, persist: null }
}

/** A run with a clock of its own, and the log's words. */
class World {
  now = 0
  readonly said: string[] = []
  readonly zone: SplitZone
  readonly run: CanaryRun

  constructor(split: SplitConfig, file: ShareFile | null = null) {
    this.zone = new SplitZone(new SharedArrayBuffer(SplitZone.memoryOf("r", split).bytes))
    const say = (message: string): void => void this.said.push(message)
    const log = { debug: say, info: say, warn: say, error: say } as unknown as Log
    this.run = new CanaryRun({ route: "r", split, zone: this.zone, log, now: () => this.now, wall: () => 0, file })
  }

  /** `failures` of the canary's `requests` fail; stable has ten times as many, all good. Then `ms` pass. */
  pass(requests: number, failures = 0, ms = 1000): void {
    for (let i = 0; i < requests * 10; i++) this.zone.count(0, 5, false)
    for (let i = 0; i < requests; i++) this.zone.count(1, 5, i < failures)
    this.now += ms
    this.run.tick()
  }

  get at(): [string, number] {
    return [this.run.state, Number(this.run.share.toFixed(6))]
  }
}

describe("by itself", () => {
  test("one step each time, when time and samples allow it", () => {
    const world = new World(splitOf([1, 0]))
    expect(world.at).toEqual(["idle", 0])
    world.run.start(null)
    world.pass(100, 0, 500)
    expect(world.at).toEqual(["running", 0.1])
    world.pass(0, 0, 500)
    expect(world.at).toEqual(["running", 0.5])
    // What the step before has shown does not count for this one.
    world.pass(10)
    world.pass(5)
    expect([world.at, world.run.judgement.verdict]).toEqual([["running", 0.5], "wait"])
    world.pass(10)
    expect(world.at).toEqual(["promoted", 1])
    expect(world.said).toEqual(["the canary is started", "the canary is stepped", "the canary is promoted"])
  })

  test("in doubt there is no step, and no new window; when it is sure, back to where it was", () => {
    const world = new World(splitOf([9, 1]))
    // The config gives it a share: it runs from there.
    expect(world.at).toEqual(["running", 0.1])
    world.pass(60, 2, 5000)
    expect([world.at, world.run.judgement.why]).toEqual([["running", 0.1], expect.stringMatching(/^in doubt: canary 2 of 60/)])
    world.pass(20, 3, 100)
    expect(world.at).toEqual(["rolled-back", 0])
    expect(world.run.events.at(-1)!.what).toMatch(/^rolled back from 10 % to 0 %: canary 5 of 80 requests failed/)
    world.pass(100, 0, 5000)
    expect(world.at).toEqual(["rolled-back", 0])
    // And on again, by command.
    expect(world.run.start(null)).toBe("")
    expect(world.at).toEqual(["running", 0.1])
  })

  test("a window that was good is over, and the next one begins with nothing", () => {
    const world = new World(splitOf([1, 0], { steps: [0.3], window: 500 }))
    world.run.start(null)
    world.pass(1000, 0, 600)
    expect(world.run.trial!.canary.requests).toBe(0)
    world.pass(5, 0, 600)
    // Too few for a verdict: it goes on.
    expect(world.run.trial!.canary.requests).toBe(5)
  })

  test("without auto nothing moves, and it is said once", () => {
    const world = new World(splitOf([1, 0], { auto: false }))
    world.run.start(null)
    for (let i = 0; i < 3; i++) world.pass(100)
    expect(world.at).toEqual(["running", 0.1])
    for (let i = 0; i < 3; i++) world.pass(100, 100)
    expect(world.at).toEqual(["running", 0.1])
    expect(world.said).toEqual(["the canary is started", "the canary is left alone", "the canary is left alone"])
  })
})

describe("commands", () => {
  test("go where they say, and back to what was", () => {
    const { run } = new World(splitOf([4, 1], null))
    expect(run.start(null)).toContain("has no steps")
    expect(run.step(0.5)).toContain("is not running")
    expect(run.promote()).toBe("")
    expect(run.promote()).toContain("has everything already")
    expect([run.state, run.share]).toEqual(["promoted", 1])
    run.abort()
    expect([run.state, Number(run.share.toFixed(6))]).toEqual(["aborted", 0.2])
    expect(run.start(0.4)).toBe("")
    expect(run.start(0.4)).toContain("is running already, at 40 %")
    expect(run.step(null)).toContain("has no step beyond 40 %")
    expect(run.step(0.6)).toBe("")
    run.abort()
    expect([run.state, Number(run.share.toFixed(6))]).toEqual(["aborted", 0.2])
    // With nothing to go back from: to nothing.
    run.abort()
    expect([run.state, run.share]).toEqual(["aborted", 0])
  })

  test("the last step promotes", () => {
    const { run } = new World(splitOf([1, 0]))
    run.start(null)
    run.step(null)
    expect(run.share).toBeCloseTo(0.5, 6)
    run.step(null)
    expect([run.state, run.share]).toEqual(["promoted", 1])
    run.abort()
    expect([run.state, run.share]).toEqual(["aborted", 0])
  })
})

describe("the file", () => {
  const folder = mkdtempSync(join(tmpdir(), "bothways-shares-"))
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

  test("keeps share, state and the way back; for the same arms only", () => {
    const file = new ShareFile(join(folder, "a.json"), "key")
    const first = new World(splitOf([9, 1], { auto: false }), file)
    first.run.start(0.3)
    const second = new World(splitOf([9, 1]), file)
    expect(second.at).toEqual(["running", 0.3])
    second.run.abort()
    expect(second.at).toEqual(["aborted", 0.1])
    expect(new World(splitOf([9, 1]), file).at).toEqual(["aborted", 0.1])
    expect(new World(splitOf([9, 1]), new ShareFile(join(folder, "a.json"), "another")).at).toEqual(["running", 0.1])
  })

  test("one that makes no sense is none; one that cannot be written is told", () => {
    const path = join(folder, "b.json")
    for (const text of [
      "",
      "{",
      "null",
      '{"key":"key","state":"flying","share":1,"before":0}',
      '{"key":"key","state":"idle","share":7,"before":0}',
      '{"key":"key","state":"idle"}',
    ]) {
      writeFileSync(path, text)
      expect([text, new ShareFile(path, "key").read()]).toEqual([text, null])
    }
    const world = new World(splitOf([1, 0]), new ShareFile(join(folder, "nowhere", "c.json"), "key"))
    expect(world.run.start(null)).toBe("")
    expect(world.said).toContain("the shares of a split cannot be kept")
  })
})
