import { expect, test } from "bun:test"
import { freePort } from "../../../support/ports.ts"
import { startBothways } from "../../../support/bothways.ts"
import { scriptedServer } from "../../../support/scripted-server.ts"
import { ask, cachingConfig, isHit } from "../cached-origin.ts"

// bodyMax where the answer does not say how long it is, and minUses where nobody waits for anybody.

test("bodyMax: a chunked body is measured while it comes", async () => {
  const port = await freePort()
  await using origin = await scriptedServer(async connection => {
    while (true) {
      await connection.request(60_000)
      connection.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n")
      for (let i = 0; i < 3; i++) connection.send(`200\r\n${"k".repeat(512)}\r\n`)
      connection.send("0\r\n\r\n")
    }
  })
  await using _proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }, { "a.test": { bodyMax: "1KB" } }))
  for (let i = 0; i < 3; i++) {
    const response = await ask(port, "/")
    expect([response.body.length, isHit(response)]).toEqual([1536, false])
  }
})

for (const [name, options, fields] of [
  ["without coalescing", { coalesce: "off" }, []],
  ["for a range", {}, ["Range: bytes=0-"]],
] as const) {
  test(`minUses ${name}`, async () => {
    const port = await freePort()
    await using origin = await scriptedServer("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok")
    await using _proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }, { "a.test": { minUses: 3, ...options } }))
    const hits: boolean[] = []
    for (let i = 0; i < 4; i++) hits.push(isHit(await ask(port, "/", fields)))
    expect(hits).toEqual([false, false, false, true])
  })
}
