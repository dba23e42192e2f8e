import { expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FAULT } from "../../base/index.ts"
import { ANSWER, Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import type { Filter } from "../../plugin/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import maintenance from "./maintenance.ts"

function ask(filter: Filter, client = "192.0.2.1"): { verdict: unknown; x: Exchange } {
  const x = new Exchange()
  x.clientAddress = client
  return { verdict: filter.access!(x), x }
}

const build = (options: unknown, deps = new FakeDeps({ "/etc/page.html": "<h1>back soon</h1>" })) =>
  maintenance.build(maintenance.options.parse(options), deps)

test("closed, with the time to wait; some get through", () => {
  const filter = build({ retryAfter: "2m", allow: ["10.0.0.0/8"] })
  const { verdict, x } = ask(filter)
  expect([verdict, x.fault, x.replyFields]).toEqual([FAULT_VERDICT, FAULT.maintenance, "Retry-After: 120\r\n"])
  expect(ask(filter, "10.1.2.3").verdict).toBe(NEXT)
  expect(ask(build({ on: false })).verdict).toBe(NEXT)
})

test("until a moment that has come the usual wait is said", () => {
  const deps = new FakeDeps()
  const at = (offsetMs: number) => new Date(deps.time.clock.wall() + offsetMs).toISOString()
  expect(ask(build({ until: at(90_000) }, deps)).x.replyFields).toBe("Retry-After: 90\r\n")
  expect(ask(build({ until: at(-1000) }, deps)).x.replyFields).toBe("Retry-After: 300\r\n")
})

test("a page of one's own", () => {
  const { verdict, x } = ask(build({ page: "page.html" }))
  expect([verdict, x.status, Buffer.from(x.localBody!).toString()]).toEqual([ANSWER, 503, "<h1>back soon</h1>"])
  expect(x.response.render()).toContain("Retry-After: 300\r\n")
})

test("a file is the switch, looked for once a second", () => {
  const folder = mkdtempSync(join(tmpdir(), "bothways-flag-"))
  const flag = join(folder, "closed")
  const deps = new FakeDeps()
  deps.path = name => name
  const filter = build({ flag }, deps)
  expect(ask(filter).verdict).toBe(NEXT)
  writeFileSync(flag, "")
  expect(ask(filter).verdict).toBe(NEXT)
  deps.time.clock.advance(1000)
  expect(ask(filter).verdict).toBe(FAULT_VERDICT)
  rmSync(folder, { recursive: true })
  deps.time.clock.advance(1000)
  expect(ask(filter).verdict).toBe(NEXT)
})

test.each([[{ until: "tomorrow" }], [{ allow: ["10.0.0.0/40"] }], [{ off: true }]])("refuses %j", options => {
  expect(maintenance.options.safeParse(options).success).toBe(false)
})
