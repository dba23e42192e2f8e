import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { NginxPeer } from "../../support/nginx-peer.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { pause } from "../../support/wait.ts"
import { wrk } from "../../support/wrk.ts"

// A peer is killed and comes back, ten times, under load: no GET fails, and it gets requests again each time. Once with probes, once with nothing
// but what the requests themselves meet.

const health: Record<string, object> = {
  probed: { http: { path: "/", every: "50ms", timeout: "500ms" } },
  passive: { passive: { failures: 5, eject: "100ms", ejectMax: "200ms" } },
}

for (const [name, settings] of Object.entries(health)) {
  test(
    `killed and revived ten times, ${name}: no GET fails`,
    async () => {
      const [port, a, b, c] = (await freePorts(4)) as [number, number, number, number]
      await using victim = await new NginxPeer(a).start()
      await using second = await new NginxPeer(b).start()
      await using third = await new NginxPeer(c).start()
      await using proxy = await startBothways(
        {
          listeners: { web: { bind: `127.0.0.1:${port}` } },
          clusters: { app: { peers: [victim, second, third].map(peer => peer.address), health: settings } },
          routes: [{ match: {}, to: { cluster: "app" } }],
          observe: { accessLog: { to: "none" } },
        },
        { workers: 2 },
      )
      const attempts = async (what: string): Promise<number> =>
        (await scrape(proxy)).get(`bothways_peer_${what}_total{cluster="app",peer="${victim.address}"}`) ?? 0
      // Long enough for ten rounds also where other work runs beside it: a round without requests would show nothing.
      const seconds = scaled(14, 40)
      const rest = scaled(120, 1500)
      const url = `http://127.0.0.1:${port}/`
      let loading = true
      const loads = Promise.all([wrk(url, { seconds }), wrk(url, { seconds, fresh: true })]).finally(() => (loading = false))
      await pause(300)
      let returns = 0
      for (let round = 0; round < 10; round++) {
        await victim.kill()
        await pause(rest)
        const before = await attempts("attempts")
        await victim.start()
        for (let wait = 0; wait < 1000 && (await attempts("attempts")) < before + 50; wait += 20) await pause(20)
        if ((await attempts("attempts")) >= before + 50) returns++
      }
      expect(loading).toBe(true)
      for (const { failed, requests, output } of await loads) {
        figure("requests", requests)
        if (failed > 0) console.log(output, proxy.program.tail())
        expect(failed).toBe(0)
        expect(requests).toBeGreaterThan(1000)
      }
      figure("attempts that failed at the victim", await attempts("failures"))
      expect(await attempts("failures")).toBeGreaterThan(9)
      expect(returns).toBeGreaterThan(7)
    },
    scaledTimeout(80_000),
  )
}
