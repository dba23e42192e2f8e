import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { Load, tellingPeers } from "../../support/telling-peers.ts"

// nginx Plus: slow_start. The part of a peer that joins grows evenly; over two workers, whose requests come as they come.

const RAMP_MS = 4000

test("a peer that joins under load begins with a small share, which grows evenly to its own", async () => {
  const peers = await tellingPeers(3)
  const [a, b, c] = peers.map(({ address }) => address) as [string, string, string]
  const port = await freePort()
  await using proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { shop: { peers: [a, b], slowStart: { duration: `${RAMP_MS}ms`, from: 0 } } },
      routes: [{ to: { cluster: "shop" } }],
      observe: { accessLog: { to: "none" } },
    },
    { workers: 2 },
  )
  await using load = new Load(port, 8)
  await load.shares(200)
  const reply = await proxy.ask(`/peers/add?cluster=shop&address=${c}`, { method: "POST", headers: { "X-Bothways": "1" } })
  expect(reply.status).toBe(200)
  const start = performance.now()
  const points: { at: number; share: number }[] = []
  while (performance.now() - start < RAMP_MS * 1.3) {
    const from = performance.now() - start
    const share = (await load.shares(150))[c] ?? 0
    points.push({ at: (from + performance.now() - start) / 2 / RAMP_MS, share })
  }
  // Its part p of three equal weights is p / (2 + p) of the requests.
  for (const { at, share } of points) {
    const part = Math.min(1, at)
    expect([at, share, Math.abs(share - part / (2 + part)) < 0.12]).toEqual([at, share, true])
  }
  expect(points[0]!.share).toBeLessThan(0.15)
  expect(points.at(-1)!.share).toBeGreaterThan(0.27)
  expect(load.failures).toEqual([])
  for (const peer of peers) await peer.stop()
}, 20_000)
