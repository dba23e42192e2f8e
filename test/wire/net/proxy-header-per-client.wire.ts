import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// The header speaks for the client for whom the connection was opened: whoever waits for a connection must not speak under its name.
test("a connection with a PROXY header serves no other client, also none in the queue", async () => {
  const port = await freePort()
  let letGo = (): void => {}
  await using upstream = await scriptedServer(async connection => {
    await connection.through("\r\n")
    while (true) {
      const { start } = await connection.request(3_600_000)
      if (start.includes("/first"))
        await new Promise<void>(resolve => {
          letGo = resolve
        })
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  })
  await using proxy = await startBothways(reverseConfig(port, upstream.address, { cluster: { proxyProtocol: "v1", pool: { connectionsMax: 1 } } }))
  using first = await rawClient(port, { from: "127.0.0.2" })
  first.send("GET /first HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await until(() => upstream.received.includes("/first"))
  using second = await rawClient(port, { from: "127.0.0.3" })
  second.send("GET /second HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await until(async () => ((await (await proxy.ask("/status")).json()) as { workers: { exchanges: number }[] }).workers[0]!.exchanges === 2)
  letGo()
  expect((await first.response()).body).toBe("ok")
  expect((await second.response()).body).toBe("ok")
  const heads = upstream.connections.map(connection => connection.received.split("\r\n", 2))
  expect(heads.map(([preface, request]) => `${preface!.split(" ")[2]} ${request}`)).toEqual([
    "127.0.0.2 GET /first HTTP/1.1",
    "127.0.0.3 GET /second HTTP/1.1",
  ])
})
