import { describe, expect, test } from "bun:test"
import { FAULT } from "../base/index.ts"
import { begin } from "./engine.ts"
import { Exchange, type Plan, type Step } from "./exchange.ts"
import { ANSWER, DONE, NEXT } from "./verdict.ts"

/** Runs one step whose verdict comes late; answers what came of it. */
async function run(given: () => unknown, before: (x: Exchange) => void = () => {}): Promise<string[]> {
  const seen: string[] = []
  const x = new Exchange()
  const said = (word: string) => (): number => {
    seen.push(x.fault === null ? word : `${word} ${x.fault.code}`)
    return word === "log" ? DONE : NEXT
  }
  x.plan = {
    steps: [given, said("next"), said("respond"), said("log")] as unknown as Step[],
    respondAt: 2,
    logAt: 3,
    peerAt: -1,
    retry: null,
    route: { name: "r" },
  } as unknown as Plan
  x.down = { abort() {}, closeAfter() {} } as unknown as Exchange["down"]
  begin(x)
  expect(seen).toEqual([])
  before(x)
  await new Promise(resolve => setTimeout(resolve, 5))
  return seen
}

const late = <T>(value: T) => new Promise<T>(resolve => setTimeout(() => resolve(value), 1))

describe("an asynchronous step", () => {
  test("goes on with its verdict", async () => {
    expect(await run(() => late(NEXT))).toEqual(["next", "respond", "log"])
    expect(await run(() => late(ANSWER))).toEqual(["respond", "log"])
  })

  test("that fails, or says nothing, refuses the request", async () => {
    const refused = [`respond ${FAULT.threw.code}`, `log ${FAULT.threw.code}`]
    expect(await run(() => late(0).then(() => Promise.reject(new Error("no"))))).toEqual(refused)
    expect(await run(() => late(undefined))).toEqual(refused)
  })

  test("is not heard when the client has gone", async () => {
    expect(
      await run(
        () => late(NEXT),
        x => x.onClientGone(FAULT.aborted),
      ),
    ).toEqual([`log ${FAULT.aborted.code}`])
  })
})
