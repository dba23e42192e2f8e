import { describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { answer, ask, cachingConfig, isHit } from "./cached-origin.ts"

describe("O-24: a fetch that began before the purge", () => {
  for (const [name, early] of [
    ["before its head", ""],
    ["inside its body", "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\n\r\no"],
  ] as const) {
    test(`${name}: it is served to who asked, and to nobody later`, async () => {
      const port = await freePort()
      const old = `HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\n\r\nold`
      const waiting: RawSocket[] = []
      let count = 0
      await using origin = await scriptedServer(async connection => {
        while (true) {
          await connection.request(60_000)
          if (count++ > 0) connection.send(answer("new", ["Cache-Control: max-age=600"]))
          else if (waiting.push(connection)) connection.send(early)
        }
      })
      await using proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }))
      using client = await rawClient(port)
      client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
      const connection = await until(() => waiting[0])
      if (early !== "") await client.through("\r\n\r\no")
      expect((await proxy.ask("/cache/purge?url=http://a.test/slow", { method: "POST", headers: { "x-bothways": "1" } })).status).toBe(200)
      connection.send(old.slice(early.length))
      expect(await client.through("ld")).toContain("ld")
      const after = await ask(port, "/slow")
      expect([after.body, isHit(after)]).toEqual(["new", false])
      expect((await ask(port, "/slow")).body).toBe("new")
    })
  }
})
