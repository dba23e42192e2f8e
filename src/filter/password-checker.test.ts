import { describe, expect, test } from "bun:test"
import { hashSync } from "bcryptjs"
import { FakeClock } from "../base/index.ts"
import { parseHtpasswd } from "./htpasswd.ts"
import { BUSY, type CheckWaiter, checkerLimits, type Outcome, PasswordChecker, RIGHT, WRONG } from "./password-checker.ts"

const users = (text: string) => parseHtpasswd(text, "f")
const ann = (password: string) => `ann:${hashSync(password, 4)}\n`

function make(content: string, limits = {}) {
  const clock = new FakeClock()
  return { clock, checker: new PasswordChecker(users(content), clock, { ...checkerLimits, ...limits }) }
}

/** Starts a check and tells when it ended. */
function ask(checker: PasswordChecker, user: string, password: string) {
  const key = checker.keyOf(`${user}:${password}`)
  const waiter: CheckWaiter & { end: (outcome: Outcome) => void; checked(outcome: Outcome): void } = {
    end: () => {},
    checked: outcome => waiter.end(outcome),
  }
  const later = new Promise<Outcome>(resolve => {
    waiter.end = resolve
  })
  const now = checker.check(key, { user, password }, waiter)
  return { key, waiter, now, outcome: now === 0 ? later : Promise.resolve(now) }
}

describe("PasswordChecker", () => {
  test("right, wrong, and nobody take the slow way", async () => {
    const { checker } = make(ann("sesame"))
    const asked = [ask(checker, "ann", "sesame"), ask(checker, "ann", "x"), ask(checker, "eve", "sesame")]
    expect(asked.map(({ now }) => now)).toEqual([0, 0, 0])
    expect(await Promise.all(asked.map(({ outcome }) => outcome))).toEqual([RIGHT, WRONG, WRONG])
  })

  test("good credentials are remembered for five minutes, wrong ones never", async () => {
    const { checker, clock } = make(ann("sesame"))
    const good = ask(checker, "ann", "sesame")
    const bad = ask(checker, "ann", "x")
    await Promise.all([good.outcome, bad.outcome])
    expect(checker.recall(good.key)).toBe("ann")
    expect(checker.recall(bad.key)).toBeNull()
    clock.advance(5 * 60_000 - 1)
    expect(checker.recall(good.key)).toBe("ann")
    clock.advance(1)
    expect(checker.recall(good.key)).toBeNull()
  })

  test("what is remembered is bounded, the oldest goes first", async () => {
    const { checker } = make(`a:${"{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI="}\nb:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\nc:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=`, {
      rememberedMax: 2,
    })
    const keys = ["a", "b", "c"].map(user => {
      const { key, now } = ask(checker, user, "open")
      expect(now).toBe(RIGHT)
      return key
    })
    expect(keys.map(key => checker.recall(key))).toEqual([null, "b", "c"])
  })

  test("keys tell nothing and differ between processes", () => {
    const a = make(ann("sesame")).checker
    const b = make(ann("sesame")).checker
    expect(a.keyOf("Basic dTpw")).not.toBe(b.keyOf("Basic dTpw"))
    expect(a.keyOf("Basic dTpw")).toBe(a.keyOf("Basic dTpw"))
  })

  test("equal credentials are checked once", async () => {
    const { checker } = make(ann("sesame"), { runningMax: 1, queueMax: 1 })
    const asked = Array.from({ length: 20 }, () => ask(checker, "ann", "sesame"))
    expect(await Promise.all(asked.map(({ outcome }) => outcome))).toEqual(Array(20).fill(RIGHT))
  })

  test("beyond the queue nobody waits", async () => {
    const { checker } = make(ann("sesame"), { runningMax: 1, queueMax: 2 })
    const asked = Array.from({ length: 5 }, (_, i) => ask(checker, "ann", `wrong${i}`))
    expect(asked.map(({ now }) => now)).toEqual([0, 0, 0, BUSY, BUSY])
    await Promise.all(asked.map(({ outcome }) => outcome))
    expect(await ask(checker, "ann", "sesame").outcome).toBe(RIGHT)
  })

  test("a check that nobody waits for any more leaves the queue", async () => {
    const { checker } = make(ann("sesame"), { runningMax: 1, queueMax: 1 })
    const running = ask(checker, "ann", "a")
    const queued = ask(checker, "ann", "b")
    expect(ask(checker, "ann", "c").now).toBe(BUSY)
    checker.forget(queued.key, queued.waiter)
    checker.forget(running.key, running.waiter)
    const next = ask(checker, "ann", "sesame")
    expect(next.now).toBe(0)
    expect(await next.outcome).toBe(RIGHT)
  })

  test("a new file counts at once: for what is remembered and for what is being checked", async () => {
    const { checker } = make(ann("old"))
    const before = ask(checker, "ann", "old")
    expect(await before.outcome).toBe(RIGHT)
    const running = ask(checker, "ann", "new")
    checker.replace(users(ann("new")))
    expect(checker.recall(before.key)).toBeNull()
    expect(await running.outcome).toBe(RIGHT)
    expect(await ask(checker, "ann", "old").outcome).toBe(WRONG)
    checker.replace(users(ann("new").replace("ann", "bob")))
    expect(await ask(checker, "ann", "new").outcome).toBe(WRONG)
  })

  test("an unknown user costs what a known one costs", async () => {
    const { checker } = make(`ann:${hashSync("sesame", 9)}\n`)
    const time = async (user: string, password: string) => {
      const started = performance.now()
      await ask(checker, user, password).outcome
      return performance.now() - started
    }
    await time("ann", "warm")
    const known = Math.min(await time("ann", "x1"), await time("ann", "x2"), await time("ann", "x3"))
    const unknown = Math.min(await time("eve", "x1"), await time("eve", "x2"), await time("eve", "x3"))
    expect(unknown).toBeGreaterThan(known / 2)
    expect(unknown).toBeLessThan(known * 2)
  })
})
