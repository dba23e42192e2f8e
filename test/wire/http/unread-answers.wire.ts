import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { pause, until } from "../../support/wait.ts"

test("a client that sends requests and reads no answers is not answered into memory, and gets all of them when it reads", async () => {
  const port = await freePort()
  const body = "x".repeat(16_384)
  await using proxy = await startBothways(reverseConfig(port, "127.0.0.1:1", { routes: [{ match: {}, to: { respond: { status: 200, body } } }] }))
  using client = await rawClient(port)
  client.pause()
  const count = 4000
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n".repeat(count))
  // The kernel's buffers take some megabytes; then nothing more is answered.
  let before = -1
  await until(async () => {
    const now = proxy.log().length
    const still = now > 0 && now === before
    before = now
    await pause(150)
    return still
  })
  expect(before).toBeLessThan(count / 2)
  client.resume()
  await until(() => client.received.split("HTTP/1.1 200 OK").length - 1 === count, 20_000, "every answer")
  expect(client.ending).toBe("open")
}, 30_000)
