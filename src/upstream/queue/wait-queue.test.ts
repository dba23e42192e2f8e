import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { PeerStates } from "../peer-states.ts"
import { TALLY } from "../slot-words.ts"
import { CRITICAL, HIGH, LOW, NORMAL, type PriorityClass } from "./priority.ts"
import { type QueueWaiter, WaitQueue } from "./wait-queue.ts"

const SLOT = 1

/** Workers that share `places`, each with a queue. */
function make(workers: number, places: number, options = {}) {
  const states = PeerStates.create(4, workers + 1, new FakeClock())
  const told: string[] = []
  const each = Array.from({ length: workers }, (_, index) => {
    const own = PeerStates.attach(states.buffer, index + 1)
    const queue = new WaitQueue({
      options: { lengthMax: 100, timeoutMs: 1000, lowShareMax: 1, ...options },
      states: own,
      slot: SLOT,
      take: () => own.tryTake(SLOT, TALLY.inFlight, places),
      random: () => 0.5,
    })
    const waiter = (name: string, priority: PriorityClass, goes: () => boolean = () => true): QueueWaiter => ({
      priority,
      before: null,
      behind: null,
      onTurn() {
        if (goes()) told.push(name)
        else own.give(SLOT, TALLY.inFlight)
        return told.at(-1) === name
      },
      onEvicted: () => void told.push(`${name} is out`),
    })
    const finish = () => {
      own.give(SLOT, TALLY.inFlight)
      queue.freed()
    }
    return { own, queue, waiter, finish }
  })
  return { states, told, each }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

describe("wait queue", () => {
  test("the most important first, and in each class in the order of arrival", () => {
    const { told, each } = make(1, 1)
    const { own, queue, waiter, finish } = each[0]!
    own.take(SLOT, TALLY.inFlight)
    for (const [name, priority] of [
      ["l1", LOW],
      ["n1", NORMAL],
      ["h1", HIGH],
      ["n2", NORMAL],
      ["c1", CRITICAL],
      ["h2", HIGH],
    ] as const)
      expect(queue.join(waiter(name, priority))).toBe(true)
    for (let i = 0; i < 6; i++) finish()
    expect(told).toEqual(["c1", "h1", "h2", "n1", "n2", "l1"])
    expect([queue.size, queue.length]).toEqual([0, 0])
  })

  test("who leaves is not told; first, last and in the middle", () => {
    const { told, each } = make(1, 1)
    const { own, queue, waiter, finish } = each[0]!
    own.take(SLOT, TALLY.inFlight)
    const all = ["a", "b", "c", "d", "e"].map(name => waiter(name, NORMAL))
    for (const one of all) queue.join(one)
    for (const index of [0, 2, 4]) queue.leave(all[index]!)
    finish()
    finish()
    expect([told, queue.size]).toEqual([["b", "d"], 0])
  })

  test("a full queue takes no more; somebody more important takes the place of the last of the lowest class", () => {
    const { told, each } = make(1, 1, { lengthMax: 4, lowShareMax: 0.5 })
    const { own, queue, waiter } = each[0]!
    own.take(SLOT, TALLY.inFlight)
    expect(["l1", "l2"].map(name => queue.join(waiter(name, LOW)))).toEqual([true, true])
    expect(queue.join(waiter("l3", LOW))).toBe(false)
    expect([queue.join(waiter("n1", NORMAL)), queue.join(waiter("n2", NORMAL))]).toEqual([true, true])
    expect(queue.join(waiter("h1", HIGH))).toBe(true)
    expect(queue.join(waiter("n3", NORMAL))).toBe(true)
    expect(queue.join(waiter("n4", NORMAL))).toBe(false)
    expect(told).toEqual(["l2 is out", "l1 is out"])
    expect(queue.length).toBe(4)
  })

  test("one that cannot use its turn stays the first, and the queue rests", () => {
    const { told, each } = make(1, 1)
    const { queue, waiter } = each[0]!
    let goes = false
    queue.join(waiter("a", NORMAL, () => goes))
    queue.join(waiter("b", NORMAL))
    queue.look()
    expect([told, queue.size]).toEqual([[], 2])
    goes = true
    queue.look()
    expect(told).toEqual(["a"])
  })

  test("a place that another worker frees wakes a waiter here within some ms", async () => {
    const { told, each } = make(2, 1)
    const [one, two] = each
    one!.own.take(SLOT, TALLY.inFlight)
    two!.queue.join(two!.waiter("far", NORMAL))
    two!.queue.look()
    await pause(5)
    expect(told).toEqual([])
    one!.finish()
    await pause(20)
    expect(told).toEqual(["far"])
  })

  test("nobody goes ahead of a more important one that waits elsewhere", async () => {
    const { told, each } = make(2, 1)
    const [one, two] = each
    one!.own.take(SLOT, TALLY.inFlight)
    one!.queue.join(one!.waiter("here low", LOW))
    one!.queue.look()
    two!.queue.join(two!.waiter("far high", HIGH))
    two!.queue.look()
    one!.finish()
    await pause(20)
    expect(told).toEqual(["far high"])
    two!.finish()
    await pause(100)
    expect(told).toEqual(["far high", "here low"])
  })

  test("a worker that died is not waited for", async () => {
    const { told, states, each } = make(2, 1)
    const [one, two] = each
    two!.own.take(SLOT, TALLY.inFlight)
    two!.queue.join(two!.waiter("gone", HIGH))
    one!.queue.join(one!.waiter("here", NORMAL))
    one!.queue.look()
    states.forgetWorker(2)
    await pause(150)
    expect(told).toEqual(["here"])
  })
})
