import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import type { Program } from "../../support/processes.ts"
import { pause } from "../../support/wait.ts"
import { wrk } from "../../support/wrk.ts"

// Twenty reloads that change routes, peers and settings, two workers, real origins, a load of kept and of new connections: nobody notices.

let origins: Program
let proxy: Bothways
let peers: string[]
let ports: { web: number; more: number; admin: number }

const change = { method: "POST", headers: { "X-Bothways": "1" } }

/** A config that differs from round to round in what a reload can touch, but serves `/` of `web` all the time. */
function config(round: number) {
  const chosen = peers.filter((_, index) => index !== round % 3)
  const cluster = {
    peers: chosen.map((address, index) => ({ address, weight: 1 + ((round + index) % 3) })),
    balance: ["round-robin", "random", "least-requests", "power-of-two", { "consistent-hash": { key: "client" } }][round % 5],
    // Every fourth round the connections cannot be kept either.
    pool: { idleMax: 64 + (round % 4 === 3 ? round : 0) },
    health: round % 2 === 0 ? { tcp: { every: "200ms" } } : { passive: "off" },
  }
  return {
    workers: 2,
    admin: { bind: `127.0.0.1:${ports.admin}` },
    listeners: {
      web: {
        bind: `127.0.0.1:${ports.web}`,
        timeouts: { idle: `${60 + round}s`, handshake: `${5 + (round >> 1)}s` },
        limits: { connectionsMax: 5000 + round, fieldsMax: 200 + round },
      },
      ...(round % 3 === 1 ? { more: { bind: `127.0.0.1:${ports.more}` } } : {}),
    },
    clusters: { [`app-${round % 2}`]: cluster },
    routes: [
      ...Array.from({ length: round % 7 }, (_, index) => ({ match: { path: `/other-${index}/*` }, to: { respond: { body: "other" } } })),
      {
        name: `round-${round}`,
        match: { listener: "web" },
        filters: [{ headers: { response: { set: { "X-Round": String(round) } } } }],
        to: { cluster: `app-${round % 2}` },
      },
      { name: "rest", to: { cluster: `app-${round % 2}` } },
    ],
    observe: { accessLog: { to: "none" } },
  }
}

beforeAll(async () => {
  const [a, b, c, web, more, admin] = (await freePorts(6)) as [number, number, number, number, number, number]
  ports = { web, more, admin }
  peers = [a, b, c].map(port => `127.0.0.1:${port}`)
  const servers = [a, b, c].map(port => `server { listen 127.0.0.1:${port}; location / { return 200 "from ${port}"; } }`)
  origins = await startNginx(a, `keepalive_requests 1000000;\n${servers.join("\n")}`)
  proxy = await startBothways(config(0))
})
afterAll(async () => {
  await proxy.stop()
  await origins.stop()
})

test(
  "twenty reloads under load: no request fails, on kept and on new connections",
  async () => {
    const seconds = scaled(5, 30)
    const url = `http://127.0.0.1:${ports.web}/`
    const loads = Promise.all([wrk(url, { seconds }), wrk(url, { seconds, fresh: true })])
    const gap = (seconds * 1000 - 1000) / 20
    for (let round = 1; round <= 20; round++) {
      const due = performance.now() + gap
      proxy.rewrite(config(round))
      const reply = await proxy.ask("/reload", change)
      expect([round, reply.status, reply.ok || (await reply.text())]).toEqual([round, 200, true])
      const answer = await fetch(url)
      expect([answer.status, answer.headers.get("x-round")]).toEqual([200, String(round)])
      await pause(Math.max(0, due - performance.now()))
    }
    for (const [index, { requests, failed, output }] of (await loads).entries()) {
      figure(index === 0 ? "requests on kept connections" : "requests on new connections", requests)
      if (failed > 0) console.log(output, proxy.program.tail())
      expect(failed).toBe(0)
      expect(requests).toBeGreaterThan(500)
    }
    const status = (await (await proxy.ask("/status")).json()) as { workers: { restarts: number }[] }
    expect(status.workers.map(worker => worker.restarts)).toEqual([0, 0])
  },
  scaledTimeout(60_000),
)
