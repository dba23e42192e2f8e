import { expect } from "bun:test"
import { ANSWER, type Exchange, setLocalResponse, type Step } from "../../src/flow/index.ts"
import type { FakeWire } from "./fake-wire.ts"
import { World, type WorldOptions } from "./world.ts"

export const GET = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Id: g\r\n\r\n"
export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** A world whose end is checked for leaks. */
export function story(options: WorldOptions, tell: (world: World) => void): void {
  const world = new World({ peers: 1, ...options })
  tell(world)
  world.shutDown()
  expect(world.leaks()).toEqual([])
}

/** A client whose request has reached an upstream. */
export function under(world: World, request = GET): { client: FakeWire; upstream: FakeWire } {
  const client = world.connect()
  client.deliver(request)
  return { client, upstream: world.dials[0]!.open() }
}

/** Puts a step in front of the plan. */
export function beginWith(world: World, step: Step): void {
  const { plan } = world
  const { steps, respondAt, peerAt, logAt } = plan
  Object.assign(plan, { steps: [step, ...steps], respondAt: respondAt + 1, peerAt: peerAt + 1, logAt: logAt + 1 })
}

/** Puts a response filter into the plan. */
export function respondWith(world: World, step: Step): void {
  const { plan } = world
  const { steps, respondAt, logAt } = plan
  Object.assign(plan, { steps: [...steps.slice(0, respondAt), step, ...steps.slice(respondAt)], logAt: logAt + 1 })
}

export function answerLocally(x: Exchange): typeof ANSWER {
  setLocalResponse(x, 200, "Content-Type: text/plain\r\n", Buffer.from("local"))
  return ANSWER
}
