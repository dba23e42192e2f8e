import { describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { http3Config, secureListener, testSite } from "../../support/h3/secure-config.ts"
import { freePorts } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// Connections to peers over HTTP/3: how they end.
const trusted = { ca: testSite().authority.ca.certFile, serverName: "a.test" }
const change = { method: "POST", headers: { "X-Bothways": "1" } }
const config = (admin: number, port: number, peer: string, cluster: object = {}, route: object = {}) => ({
  workers: 1,
  admin: { bind: `127.0.0.1:${admin}` },
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: [peer], protocol: "http3", tls: trusted, ...cluster } },
  routes: [{ match: {}, to: { cluster: "a" }, ...route }],
})
const get = (port: number, path = "/", init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init)

describe("a peer that goes", () => {
  test("GOAWAY: what is under way ends well, the next goes over a new connection, nothing is lost", async () => {
    const [port, admin, peer] = (await freePorts(3)) as [number, number, number]
    const upstream = await recorder()
    const start = () => startBothways(http3Config(peer, upstream.address))
    let origin = await start()
    await using proxy = await startBothways(config(admin, port, `127.0.0.1:${peer}`, { retry: { attempts: 3 } }))
    let over = false
    let served = 0
    const load = async (method: string): Promise<void> => {
      while (!over) {
        const answer = await get(port, "/", { method, ...(method === "POST" && { body: "x" }) })
        expect([method, answer.status, await answer.text()]).toEqual([method, 200, "ok"])
        served++
      }
    }
    const loads = Promise.all([load("GET"), load("POST"), load("POST")])
    await until(() => served > 50)
    // A reload that replaces the peer's listener, three times.
    for (let round = 1; round <= 3; round++) {
      const next = http3Config(peer, upstream.address, { listener: { timeouts: { handshake: `${5 + round}s` } } }) as object
      origin.rewrite({ ...next, admin: { bind: origin.admin.slice(7) }, workers: 1 })
      expect((await origin.ask("/reload", change)).status).toBe(200)
      const before = served
      await until(() => served > before + 50)
    }
    over = true
    await loads
    expect(proxy.log().filter(line => line["fault"])).toEqual([])
    await origin.stop()
    origin = await start()
    expect(
      (
        await until(async () => {
          const answer = await get(port)
          return answer.status === 200 ? answer : null
        })
      ).status,
    ).toBe(200)
    await origin.stop()
    await upstream[Symbol.asyncDispose]()
  }, 20_000)
  test("a peer that dies without a word: its requests fail in time, and a new one is found", async () => {
    const [port, admin, peer] = (await freePorts(3)) as [number, number, number]
    const upstream = await recorder("")
    const origin = await startBothways(http3Config(peer, upstream.address))
    await using proxy = await startBothways(
      config(admin, port, `127.0.0.1:${peer}`, { retry: { attempts: 1 }, timeouts: { head: "500ms", connect: "500ms" } }),
    )
    const waits = get(port, "/held")
    await upstream.request()
    origin.program.signal("SIGKILL")
    expect((await waits).status).toBe(504)
    await origin.program.exit()
    await using again = await startBothways({
      listeners: { web: { bind: `127.0.0.1:${peer}`, ...secureListener() } },
      routes: [{ match: {}, to: { respond: { body: "again" } } }],
    })
    const answer = await until(async () => {
      const each = await get(port)
      return each.status === 200 ? each : null
    }, 8000)
    expect(await answer.text()).toBe("again")
    expect(again.program.hasExited).toBe(false)
    await upstream[Symbol.asyncDispose]()
    expect(proxy.program.hasExited).toBe(false)
  }, 20_000)
})
