import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { h2load } from "../../support/h2load.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { NginxPeer } from "../../support/nginx-peer.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { pause } from "../../support/wait.ts"
import { wrk } from "../../support/wrk.ts"

// One of two HTTP/2 peers is killed and comes back under load, five times: every answer that it owed on its connections is got elsewhere.

test(
  "killed and revived five times: no GET fails",
  async () => {
    const [port, a, b] = (await freePorts(3)) as [number, number, number]
    await using victim = await new NginxPeer(a, { http2: true }).start()
    await using second = await new NginxPeer(b, { http2: true }).start()
    await using proxy = await startBothways(
      {
        listeners: { web: { bind: `127.0.0.1:${port}` } },
        clusters: {
          app: {
            peers: [victim, second].map(peer => peer.address),
            protocol: "http2",
            health: { passive: { failures: 5, eject: "100ms", ejectMax: "200ms" } },
          },
        },
        routes: [{ match: {}, to: { cluster: "app" } }],
        observe: { accessLog: { to: "none" } },
      },
      { workers: 2 },
    )
    const attempts = async (what: string): Promise<number> =>
      (await scrape(proxy)).get(`bothways_peer_${what}_total{cluster="app",peer="${victim.address}"}`) ?? 0
    const url = `http://127.0.0.1:${port}/`
    const rest = scaled(120, 1000)
    let loading = true
    const loads = Promise.all([
      wrk(url, { seconds: scaled(8, 25), connections: 32 }),
      (async () => {
        let requests = 0
        let failed = 0
        while (loading) {
          const each = await h2load(url, { requests: 5000, clients: 4, streams: 10 })
          requests += each.succeeded
          failed += each.failed
        }
        return { requests, failed, output: "h2load" }
      })(),
    ])
    await pause(300)
    let returns = 0
    for (let round = 0; round < 5; round++) {
      await victim.kill()
      await pause(rest)
      const before = await attempts("attempts")
      await victim.start()
      for (let wait = 0; wait < 1500 && (await attempts("attempts")) < before + 50; wait += 20) await pause(20)
      if ((await attempts("attempts")) >= before + 50) returns++
    }
    loading = false
    for (const { failed, requests, output } of await loads) {
      figure("requests", requests)
      if (failed > 0) console.log(output, proxy.program.tail())
      expect(failed).toBe(0)
      expect(requests).toBeGreaterThan(1000)
    }
    figure("attempts that failed at the victim", await attempts("failures"))
    expect(await attempts("failures")).toBeGreaterThan(4)
    expect(returns).toBeGreaterThan(3)
  },
  scaledTimeout(60_000),
)
