import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { answer, ask, cachingConfig, isHit } from "./cached-origin.ts"

// A field that a filter of the route sets is what the origin sees, and so what tells variants apart.

const origin = await recorder(() => answer("x", ["Cache-Control: max-age=600", "Vary: X-Plan, Accept-Language"]))
const port = await freePort()
const config = cachingConfig(port, { peers: [origin.address] }) as { routes: { filters: object[] }[] }
config.routes[0]!.filters.push({ headers: { request: { set: { "X-Plan": "gold" } } } })
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

test("what is stored by it is found", async () => {
  expect(isHit(await ask(port, "/a"))).toBe(false)
  expect(isHit(await ask(port, "/a"))).toBe(true)
  expect(isHit(await ask(port, "/a", ["Accept-Language: de"]))).toBe(false)
  expect(isHit(await ask(port, "/a", ["X-Plan: iron"]))).toBe(true)
})
