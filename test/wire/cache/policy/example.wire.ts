import { afterAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { startBothways } from "../../../support/bothways.ts"
import type { Message } from "../../../support/message.ts"
import { freePorts } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { recorder } from "../../../support/recorder.ts"
import { pause } from "../../../support/wait.ts"
import { answer, ask, isHit, targetOf } from "../cached-origin.ts"
import { lifetimeOf } from "./fates.ts"

// examples/cache.yaml does what its comments say.

let asked = 0
let fails = false
const shop = await recorder((request: Message) => {
  asked++
  if (fails) return answer("down", [], "503 Service Unavailable")
  if (targetOf(request).startsWith("/assets/")) return answer(`asset ${asked}`, ["Content-Type: text/javascript", "Set-Cookie: a=1"])
  if (targetOf(request).startsWith("/api/")) return answer(`api ${asked}`, ["Content-Type: application/json"])
  return answer(`page ${asked}`, ["Cache-Control: max-age=60", "Content-Type: text/html"])
})
const [web, egress, admin] = (await freePorts(3)) as [number, number, number]
const config = parse(readFileSync(join(import.meta.dirname, "../../../../examples/cache.yaml"), "utf8"))
config.listeners.web.bind = `127.0.0.1:${web}`
Object.assign(config.listeners.egress, { bind: `127.0.0.1:${egress}`, forward: { privateRanges: ["127.0.0.0/8"] } })
config.clusters.shop.peers = [shop.address]
config.caches.site.disk = { path: join(temporaryFolder("cache-example"), "site"), size: "64MB" }
config.admin.bind = `127.0.0.1:${admin}`
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await shop[Symbol.asyncDispose]()
})

const bodyOf = async (target: string, fields: string[] = []): Promise<string> => (await ask(web, target, fields)).body

test("assets: for a month, by their version alone, and without a cookie for the next one", async () => {
  const first = await ask(web, "/assets/a.js?v=1&from=mail")
  const second = await ask(web, "/assets/a.js?x=2&v=1")
  expect([first.fields["set-cookie"], second.fields["set-cookie"], second.body]).toEqual(["a=1", undefined, first.body])
  expect(lifetimeOf(second)).toBeWithin(30 * 86_400 - 60, 30 * 86_400 + 1)
  expect(await bodyOf("/assets/a.js?v=2")).not.toBe(first.body)
})

test("api: for two seconds, an old answer while the servers fail, and past the cache with credentials", async () => {
  const first = await ask(web, "/api/x")
  const second = await ask(web, "/api/x")
  expect([isHit(second), second.body, lifetimeOf(second) <= 2]).toEqual([true, first.body, true])
  expect(await bodyOf("/api/x", ["Authorization: Bearer a"])).not.toBe(first.body)
  fails = true
  for (const until = performance.now() + 2500; performance.now() < until; await pause(50)) expect(await bodyOf("/api/x")).toBe(first.body)
  fails = false
})

test("pages: whatever the link came from, not for who is signed in, purged from here", async () => {
  const first = await bodyOf("/p?id=1&utm_source=mail")
  expect(await bodyOf("/p?id=1&fbclid=x")).toBe(first)
  expect(await bodyOf("/p?id=1", ["Cookie: session=1"])).not.toBe(first)
  expect((await ask(web, "/p?id=1", [], "PURGE")).status).toBe(200)
  expect(await bodyOf("/p?id=1")).not.toBe(first)
})

test("out: what servers allow", async () => {
  const out = async (target: string) => {
    using client = await rawClient(egress)
    client.send(`GET http://${shop.address}${target} HTTP/1.1\r\nHost: ${shop.address}\r\n\r\n`)
    return await client.response()
  }
  const first = await out("/q")
  const second = await out("/q")
  expect([isHit(second), second.body]).toEqual([true, first.body])
  // It says nothing of a lifetime, and no route does.
  await out("/api/y")
  expect(isHit(await out("/api/y"))).toBe(false)
})
