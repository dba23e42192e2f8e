import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { residentAtRest } from "../../support/bulk.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { NginxPeer } from "../../support/nginx-peer.ts"
import { freePorts } from "../../support/ports.ts"
import { wrk } from "../../support/wrk.ts"

// Memory is level: what the first tenth of many requests needed is what the last one needs. Kept and new connections in turns.

const MB = 1024 * 1024

test(
  "memory after the first tenth of many requests, and at their end",
  async () => {
    const [port, peer] = (await freePorts(2)) as [number, number]
    await using origin = await new NginxPeer(peer).start()
    await using proxy = await startBothways(
      {
        listeners: { web: { bind: `127.0.0.1:${port}` } },
        clusters: { app: { peers: [origin.address] } },
        routes: [{ match: {}, to: { cluster: "app" } }],
        observe: { accessLog: { format: "json", to: { file: "/dev/null" } } },
      },
      { workers: 2 },
    )
    const total = scaled(40_000, 5_000_000)
    const seconds = scaled(1, 10)
    let requests = 0
    let first = 0
    let peak = 0
    for (let turn = 0; requests < total || turn < 6; turn++) {
      const load = await wrk(`http://127.0.0.1:${port}/`, { seconds, connections: 32, fresh: turn % 3 === 2 })
      expect(load.failed).toBe(0)
      requests += load.requests
      const now = (await residentAtRest(proxy.pid)) / MB
      peak = Math.max(peak, now)
      if (requests < total / 10 || turn < 3) first = now
      if (turn % 10 === 9) figure(`after ${requests} requests, MB`, now)
    }
    const last = (await residentAtRest(proxy.pid)) / MB
    figure("MB after the first tenth, at most, at the end", `${first}, ${peak}, ${last}`)
    // The collector runs when it likes, and code is still being compiled in a short run: a tenth, and a little, are their business.
    expect(last).toBeLessThan(first * 1.1 + scaled(16, 4))
  },
  scaledTimeout(3_000_000),
)
