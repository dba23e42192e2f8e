import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// RFC 9112 section 8: whoever gets a part must be able to tell that it is one.
for (const [name, head] of [
  ["with a length", "Content-Length: 9\r\n\r\nhalf"],
  ["chunked", "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
] as const) {
  test(`a body that is cut short is not passed on as whole, ${name}`, async () => {
    const port = await freePort()
    await using upstream = await scriptedServer(async connection => {
      await connection.request()
      connection.send(`HTTP/1.1 200 OK\r\n${head}`)
      connection.fin()
    })
    await using proxy = await startBothways({
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { a: { peers: [upstream.address] } },
      routes: [{ match: {}, to: { cluster: "a" } }],
    })
    using client = await rawClient(port)
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await expect(client.response()).rejects.toThrow("the connection ended")
    await until(() => proxy.log().some(line => line.fault === "upstream.truncated"), 3000, "the line with the fault")
  })
}
