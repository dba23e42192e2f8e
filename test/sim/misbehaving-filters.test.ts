import { afterEach, describe, expect, test } from "bun:test"
import { FAULT, setLogSink, systemClock } from "../../src/base/index.ts"
import { type Exchange, FAULT_VERDICT, setFlowClock, type Step } from "../../src/flow/index.ts"
import { answerLocally, beginWith, GET, OK, respondWith, under } from "./story.ts"
import { World } from "./world.ts"

// Filters may be somebody else's work: what they do wrong ends their own exchange.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

/** Time in the simulator stands still; promises do not. */
async function promisesSettled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

describe("filters that misbehave", () => {
  const misdeeds: Record<string, Step> = {
    throws: () => {
      throw new Error("a defect of a plug-in")
    },
    refuses: x => {
      x.fault = FAULT.forbidden
      return FAULT_VERDICT
    },
    "refuses without a reason": () => FAULT_VERDICT,
    answers: answerLocally,
    "says nothing": () => undefined as never,
    "is asynchronous and says nothing": () => Promise.resolve(undefined) as never,
    "fails later": () => Promise.reject(new Error("a defect of a plug-in")) as never,
  }
  const statuses: Record<string, number> = { refuses: 403, answers: 200 }
  for (const [what, step] of Object.entries(misdeeds)) {
    test(`a filter of the response that ${what} ends its exchange and no other`, async () => {
      const world = new World({ peers: 1 })
      let calls = 0
      respondWith(world, x => {
        if (++calls > 20) throw new Error("it goes round and round")
        return step(x)
      })
      const { client, upstream } = under(world)
      upstream.deliver("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nw")
      await promisesSettled()
      expect(client.sent).toStartWith(`HTTP/1.1 ${statuses[what] ?? 500} `)
      expect(calls).toBeLessThan(3)
      expect([world.active, world.logged.length, upstream.closed]).toEqual([0, 1, true])
      world.errors.length = 0
      world.shutDown()
      expect(world.leaks()).toEqual([])
    })
    test(`a filter of the request that ${what}`, async () => {
      const world = new World({ peers: 1 })
      beginWith(world, step)
      const client = world.connect()
      client.deliver(GET)
      await promisesSettled()
      expect(client.sent).toStartWith(`HTTP/1.1 ${statuses[what] ?? 500} `)
      expect([world.active, world.logged.length]).toEqual([0, 1])
      world.errors.length = 0
      world.shutDown()
      expect(world.leaks()).toEqual([])
    })
  }
  test("one that throws behind its own word is not let through", () => {
    const world = new World({ peers: 1 })
    let waited: Exchange | null = null
    let cancelled = 0
    beginWith(world, x => {
      waited = x
      x.waiter = { cancel: () => void cancelled++ }
      throw new Error("a defect of a plug-in")
    })
    const client = world.connect()
    client.deliver(GET)
    expect([client.sent.startsWith("HTTP/1.1 500 "), cancelled, world.dials.length, waited === null]).toEqual([true, 1, 0, false])
    world.errors.length = 0
    world.shutDown()
    expect(world.leaks()).toEqual([])
  })
  test("one of the log does not take the others' log", () => {
    const world = new World({ peers: 1 })
    const { plan } = world
    Object.assign(plan, {
      steps: [...plan.steps.slice(0, plan.logAt + 1), misdeeds.throws!, ...plan.steps.slice(plan.logAt + 1)],
    })
    const { client, upstream } = under(world)
    upstream.deliver(OK)
    expect([client.sent, world.logged.length, world.active]).toEqual([OK, 1, 0])
    world.errors.length = 0
    world.shutDown()
    expect(world.leaks()).toEqual([])
  })
})
