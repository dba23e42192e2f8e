import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { answer, ask, cachingConfig } from "./cached-origin.ts"

// O-25: those who read an answer while it is being fetched.

test("they get at once what is there, hear that it was cut, and nobody after them gets it", async () => {
  const port = await freePort()
  const whole = answer("w".repeat(1000), ["Cache-Control: max-age=60"])
  let asked = 0
  await using origin = await scriptedServer(async connection => {
    while (true) {
      await connection.request(60_000)
      connection.send(asked++ === 0 ? whole.slice(0, -600) : whole)
    }
  })
  await using _proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }))
  const clients = [await rawClient(port), await rawClient(port), await rawClient(port)]
  for (const client of clients) {
    client.send("GET /together HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await client.through("w".repeat(400))
  }
  expect(asked).toBe(1)
  origin.connections[0]!.fin()
  for (const client of clients) expect(await client.toEnd()).toBe("")
  expect((await ask(port, "/together")).body).toBe("w".repeat(1000))
})
