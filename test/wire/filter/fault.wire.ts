import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// A drill over two workers: what is injected, that the log owns up to it, and that it ends at once.

const port = await freePort()
const peer = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
const proxy = await startBothways(
  {
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { a: { peers: [peer.address] } },
    routes: [
      { match: { path: "/slow" }, filters: [{ fault: { delay: { for: "200ms" } } }], to: { cluster: "a" } },
      { match: { path: "/reset" }, filters: [{ fault: { reset: true } }], to: { cluster: "a" } },
      { match: {}, filters: [{ fault: { abort: { status: 504, share: "50%" }, when: { header: "X-Drill" } } }], to: { cluster: "a" } },
    ],
  },
  { workers: 2 },
)
afterAll(async () => {
  await proxy.stop()
  await peer.close()
})

async function statusOf(path: string, field = ""): Promise<number> {
  using client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${field}\r\n`)
  return (await client.response()).status
}

const turn = async (word: string): Promise<unknown> => (await proxy.ask(`/fault/${word}`, { method: "POST", headers: { "X-Bothways": "1" } })).json()

test("delays, aborts a share, resets; the log says that it was a drill", async () => {
  const began = performance.now()
  expect(await statusOf("/slow")).toBe(200)
  expect(performance.now() - began).toBeGreaterThanOrEqual(190)
  const drilled = await Promise.all(Array.from({ length: 200 }, () => statusOf("/", "X-Drill: 1\r\n")))
  const aborted = drilled.filter(status => status === 504).length
  expect(aborted + drilled.filter(status => status === 200).length).toBe(200)
  expect(Math.abs(aborted - 100)).toBeLessThan(50)
  expect(await statusOf("/")).toBe(200)
  using client = await rawClient(port)
  client.send("GET /reset HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await client.ended()
  expect(client.received).toBe("")
  const injected = await until(() => {
    const lines = proxy.log().filter(line => line["fault"] === "proxy.injected")
    return lines.length >= aborted + 1 ? lines : null
  })
  expect(injected.length).toBe(aborted + 1)
  expect(await (await proxy.ask("/metrics")).text()).toContain(`bothways_faults_total{fault="proxy.injected",source="proxy"} ${aborted + 1}\n`)
})

test("ends at once in all workers, over a reload too, and goes on when told", async () => {
  expect(await turn("off")).toEqual({ injecting: false })
  expect(new Set(await Promise.all(Array.from({ length: 100 }, () => statusOf("/", "X-Drill: 1\r\n"))))).toEqual(new Set([200]))
  expect(await statusOf("/reset")).toBe(200)
  const config = JSON.parse(await Bun.file(proxy.configFile).text())
  config.routes[0].name = "slow"
  proxy.rewrite(config)
  expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
  expect(await (await proxy.ask("/fault")).json()).toEqual({ injecting: false })
  expect(await statusOf("/reset")).toBe(200)
  expect(await turn("on")).toEqual({ injecting: true })
  expect((await Promise.all(Array.from({ length: 100 }, () => statusOf("/", "X-Drill: 1\r\n")))).includes(504)).toBe(true)
})
