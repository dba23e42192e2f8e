import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { errorCode } from "../../support/h2/frames.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { answer, ask, cachingConfig, isHit } from "./cached-origin.ts"

// O-25: a part is never the whole (RFC 9111 sections 3.3 and 3.4).

const fresh = "Cache-Control: max-age=60"
const whole = answer("w".repeat(1000), [fresh])

const cut: Record<string, (connection: RawSocket) => void> = {
  "a: chunked, without a last chunk": connection => {
    connection.send(`HTTP/1.1 200 OK\r\n${fresh}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`)
    connection.fin()
  },
  "a: chunked, cut inside a chunk": connection => {
    connection.send(`HTTP/1.1 200 OK\r\n${fresh}\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf`)
    connection.fin()
  },
  "b: 400 octets of 1000": connection => {
    connection.send(`HTTP/1.1 200 OK\r\n${fresh}\r\nContent-Length: 1000\r\n\r\n${"h".repeat(400)}`)
    connection.fin()
  },
  "b: none of 1000": connection => {
    connection.send(`HTTP/1.1 200 OK\r\n${fresh}\r\nContent-Length: 1000\r\n\r\n`)
    connection.fin()
  },
  "c: a part that nobody asked for": connection => {
    connection.send(answer("0123456789", [fresh, "Content-Range: bytes 0-9/100"], "206 Partial Content"))
  },
}

const port = await freePort()
const seen: string[] = []
const origin = await scriptedServer(async connection => {
  while (true) {
    const target = decodeURIComponent((await connection.request(60_000)).start.split(" ")[1]!.slice(1))
    const times = seen.push(target) && seen.filter(each => each === target).length
    if (times > 1) connection.send(whole)
    else await cut[target]!(connection)
  }
})
const proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }))
afterAll(async () => {
  await proxy.stop()
  await origin.close()
})

describe("O-25: the second client gets the whole", () => {
  for (const name of Object.keys(cut)) {
    test(name, async () => {
      const target = `/${encodeURIComponent(name)}`
      const first = await ask(port, target).catch(error => error as Error)
      if (!(first instanceof Error)) expect(["206", "502"]).toContain(String(first.status))
      const second = await ask(port, target)
      expect([second.status, second.body.length, isHit(second)]).toEqual([200, 1000, false])
      // For a moment after an answer that could not be stored nobody waits for another.
      await until(async () => isHit(await ask(port, target)))
    })
  }

  test("e: an HTTP/1.0 body that ends in a reset", async () => {
    cut.reset = connection => connection.send(`HTTP/1.0 200 OK\r\n${fresh}\r\n\r\nhalf`)
    using first = await rawClient(port)
    first.send("GET /reset HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await first.through("half")
    origin.connections.at(-1)!.reset()
    expect(await first.toEnd()).not.toContain("0\r\n\r\n")
    expect((await ask(port, "/reset")).body).toBe("w".repeat(1000))
  })

  test("d: RST_STREAM after some DATA", async () => {
    const webPort = await freePort()
    await using h2 = await h2Origin({
      script: async exchange => {
        exchange.head(200, [["cache-control", "max-age=60"]])
        await exchange.data(exchange.index === 0 ? "half" : "whole", { end: exchange.index > 0 })
        if (exchange.index === 0) exchange.reset(errorCode.internalError)
      },
    })
    await using _proxy = await startBothways(cachingConfig(webPort, { peers: [h2.address], protocol: "http2" }))
    const first = await ask(webPort, "/").catch(error => error as Error)
    if (!(first instanceof Error)) expect(first.status).toBe(502)
    const second = await ask(webPort, "/")
    expect([second.body, isHit(second)]).toEqual(["whole", false])
    expect([(await ask(webPort, "/")).body, h2.requests.length]).toEqual(["whole", 2])
  })
})
