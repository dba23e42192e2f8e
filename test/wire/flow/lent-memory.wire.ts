import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause } from "../../support/wait.ts"

const half = 1024 * 1024

// A connection goes from one exchange to the next in the turn that ends a large answer: its last octets have not left when the next request's body is read.
test("an upload that waited for the connection of a download leaves the download alone", async () => {
  const port = await freePort()
  let letGo = (): void => {}
  await using upstream = await scriptedServer(async connection => {
    while (true) {
      const { start } = await connection.request(3_600_000)
      if (start.startsWith("PUT")) {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept")
        continue
      }
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${2 * half}\r\n\r\n`)
      connection.send(Buffer.alloc(half, "d"))
      await new Promise<void>(resolve => {
        letGo = resolve
      })
      connection.send(Buffer.alloc(half, "d"))
    }
  })
  await using _proxy = await startBothways(reverseConfig(port, upstream.address, { cluster: { pool: { connectionsMax: 1 } } }))
  using download = await rawClient(port)
  using upload = await rawClient(port)
  for (let round = 0; round < 15; round++) {
    download.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await download.head()
    await download.bytes(half)
    upload.send(`PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${half}\r\n\r\n${"u".repeat(half)}`)
    await pause(20)
    letGo()
    expect((await download.bytes(half)).replaceAll("d", "")).toBe("")
    expect((await upload.response("PUT", 20_000)).body).toBe("kept")
  }
  expect(upstream.connections.length).toBe(1)
}, 30_000)
