import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

test("an exchange that a reload of the access log finds under way has its line all the same, in the new form", async () => {
  const port = await freePort()
  await using upstream = await scriptedServer(async connection => {
    await connection.request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
  })
  const config = reverseConfig(port, upstream.address)
  await using proxy = await startBothways(config)
  using client = await rawClient(port)
  client.send("GET /long HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await client.through("ha")
  const { admin } = proxy
  proxy.rewrite({
    ...config,
    workers: 1,
    admin: { bind: new URL(admin).host },
    observe: { accessLog: { format: { template: "$status of $target" } } },
  })
  expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
  ;(await upstream.connection()).send("lf")
  await client.through("lf")
  await until(() => proxy.program.lines.includes("200 of /long"), undefined, "its line")
})
