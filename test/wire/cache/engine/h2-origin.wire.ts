import { expect, test } from "bun:test"
import { startBothways } from "../../../support/bothways.ts"
import { h2Origin } from "../../../support/h2/h2-origin.ts"
import { freePort } from "../../../support/ports.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { ask, cachingConfig, isHit } from "../cached-origin.ts"

// An origin that speaks HTTP/2: its streams share a connection, and a body comes frame by frame.

test("who reads along has each frame as it comes, the one who asked and who joins; the next one has it from the store", async () => {
  const port = await freePort()
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using origin = await h2Origin({
    script: async exchange => {
      exchange.head(200, [["cache-control", "max-age=60"]])
      await exchange.data("one,")
      await gates[0]!.promise
      await exchange.data("two,")
      await gates[1]!.promise
      await exchange.data("three", { end: true })
    },
  })
  await using _proxy = await startBothways(cachingConfig(port, { peers: [origin.address], protocol: "http2" }))
  using first = await rawClient(port)
  using second = await rawClient(port)
  first.send("GET /h2 HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await first.through("one,")
  second.send("GET /h2 HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await second.through("one,")
  gates[0]!.resolve()
  for (const client of [first, second]) await client.through("two,")
  gates[1]!.resolve()
  for (const client of [first, second]) await client.through("three\r\n0\r\n\r\n")
  const stored = await ask(port, "/h2")
  expect([stored.body, isHit(stored), origin.requests.length]).toEqual(["one,two,three", true, 1])
}, 20_000)

test("an answer that is for nobody else goes through frame by frame, too", async () => {
  const port = await freePort()
  const gate = Promise.withResolvers<void>()
  await using origin = await h2Origin({
    script: async exchange => {
      exchange.head(200, [["cache-control", "private"]])
      await exchange.data("one,")
      await gate.promise
      await exchange.data("two", { end: true })
    },
  })
  await using _proxy = await startBothways(cachingConfig(port, { peers: [origin.address], protocol: "http2" }))
  using client = await rawClient(port)
  client.send("GET /own HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await client.through("one,")
  gate.resolve()
  await client.through("two\r\n0\r\n\r\n")
}, 20_000)
