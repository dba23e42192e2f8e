import { afterAll, expect, test } from "bun:test"
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { runBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { openSockets } from "../../support/open-sockets.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { Plan, Tally } from "../../support/steady-load.ts"
import { Upgraded } from "../../support/upgraded.ts"
import { pause, until } from "../../support/wait.ts"

// The program on disk takes over with the listening sockets: under load, with another number of workers, with another config, and not at all when it cannot.
const [plain, secure, extra, admin] = (await freePorts(4)) as [number, number, number, number]
const folder = temporaryFolder("upgrade")
const [unix, pidFile] = [join(folder, "web.sock"), join(folder, "pid")]
const site = new Authority().issue(["a.test"])
const tls = { certificates: [{ cert: site.certFile, key: site.keyFile }] }

function config(more: { workers?: number; body?: string; listeners?: object; minVersion?: string } = {}): object {
  return {
    admin: { bind: `127.0.0.1:${admin}` },
    workers: more.workers ?? 2,
    drain: { timeout: "1600ms" },
    listeners: {
      web: { bind: [`127.0.0.1:${plain}`, `unix:${unix}`] },
      secure: { bind: `127.0.0.1:${secure}`, tls: { ...tls, minVersion: more.minVersion ?? "1.2" } },
      ...more.listeners,
    },
    routes: [{ match: {}, to: { respond: { body: more.body ?? "hello" } } }],
    observe: { accessLog: { to: "none" } },
  }
}

const proxy = await Upgraded.start(config(), { args: ["--no-watch", "--pid-file", pidFile] })
afterAll(() => proxy[Symbol.asyncDispose]())

async function ask(at: number | string): Promise<string> {
  using client = await rawClient(at)
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  return (await client.response()).body
}

/** Runs clients beside `work` and tells what became of their requests. */
async function underLoad(plans: readonly Plan[], work: () => Promise<void>): Promise<Tally> {
  const program = join(import.meta.dirname, "../../support/steady-load.ts")
  const load = spawn(process.execPath, [program, JSON.stringify(plans)], { stdio: ["pipe", "pipe", "inherit"] })
  let said = ""
  load.stdout.on("data", chunk => (said += String(chunk)))
  const over = new Promise(resolve => load.once("close", resolve))
  try {
    await pause(200)
    await work()
  } finally {
    load.stdin.end()
    await over
  }
  return JSON.parse(said) as Tally
}

test("three upgrades under load, to more workers and to fewer: no request fails, plain, TLS and over a Unix socket", async () => {
  const plans: Plan[] = [
    { at: plain, tls: false, kept: 16, pauseMs: 20, fresh: 4 },
    { at: plain, tls: false, kept: 10, pauseMs: 600, fresh: 0 },
    { at: secure, tls: true, kept: 6, pauseMs: 20, fresh: 2 },
    { at: unix, tls: false, kept: 4, pauseMs: 20, fresh: 2 },
  ]
  const tally = await underLoad(plans, async () => {
    for (const workers of [3, 1, 2]) {
      proxy.first.rewrite(config({ workers }))
      expect(await proxy.upgrade()).toMatchObject({ ok: true })
      const status = await proxy.status()
      expect([status.pid, status.workers.length, Number(readFileSync(pidFile, "utf8"))]).toEqual([proxy.pid, workers, proxy.pid])
      await pause(300)
    }
  })
  expect(tally.failures).toEqual({})
  expect(tally.requests).toBeGreaterThan(1000)
  expect(tally.lastAnswers).toBeGreaterThan(30)
  await proxy.othersEnded()
}, 60_000)

test("the config of that moment: a listener comes, one goes, TLS and routes change; a reload then keeps all sockets that were taken over", async () => {
  const listeners = { extra: { bind: `127.0.0.1:${extra}` } }
  proxy.first.rewrite(config({ workers: 1, body: "new", minVersion: "1.3", listeners }))
  expect((await proxy.upgrade()).ok).toBe(true)
  for (let i = 0; i < 8; i++) expect([await ask(plain), await ask(unix), await ask(extra)]).toEqual(["new", "new", "new"])
  expect(rawClient(secure, { tls: { maxVersion: "TLSv1.2" } })).rejects.toThrow()
  const web = { bind: [`127.0.0.1:${plain}`, `unix:${unix}`], timeouts: { handshake: "9s" } }
  proxy.first.rewrite(config({ workers: 1, body: "newer", listeners: { web } }))
  expect((await proxy.first.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
  for (let i = 0; i < 20; i++) expect([await ask(plain), await ask(unix)]).toEqual(["newer", "newer"])
  expect(await ask(extra).catch(String)).toContain("ECONNREFUSED")
  await proxy.othersEnded()
}, 30_000)

test("a config that is wrong, and one that wants a port that another has: the old process serves on, and the command says why", async () => {
  const before = openSockets(proxy.pid)
  proxy.first.rewrite("listeners:\n  web: { bond: 80 }\n")
  const wrong = await runBothways(["upgrade", "--admin", `127.0.0.1:${admin}`])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain("not upgraded; the running process serves on")
  expect(wrong.stderr).toContain(`${proxy.first.configFile}:2:10`)
  const [taken] = (await freePorts(1)) as [number]
  const occupied = Bun.listen({ hostname: "127.0.0.1", port: taken, socket: { data() {} } })
  proxy.first.rewrite(config({ listeners: { extra: { bind: `127.0.0.1:${taken}` } } }))
  expect(await proxy.upgrade()).toMatchObject({ ok: false, code: 3, reason: expect.stringContaining("another program has taken this port") })
  occupied.stop(true)
  expect([(await proxy.status()).pid, readFileSync(pidFile, "utf8"), existsSync(unix)]).toEqual([proxy.pid, `${proxy.pid}\n`, true])
  expect([await ask(plain), await ask(unix)]).toEqual(["newer", "newer"])
  // Nothing was left over of what was lent.
  await until(() => openSockets(proxy.pid) <= before)
}, 30_000)

test("one that does not serve in time is given up", async () => {
  proxy.first.rewrite(config())
  expect(await proxy.upgrade("?timeout=50ms")).toMatchObject({ ok: false, reason: expect.stringContaining("did not serve within") })
  expect(await ask(plain)).toBe("newer")
}, 30_000)

test("SIGUSR2 does the same, and SIGTERM then ends all of it, with its files", async () => {
  proxy.first.rewrite(config())
  process.kill(proxy.pid, "SIGUSR2")
  const next = await until(async () => {
    const { pid } = await proxy.status()
    return pid === proxy.pid ? 0 : pid
  })
  proxy.tookOver(next)
  expect(await ask(plain)).toBe("hello")
  process.kill(next, "SIGTERM")
  await until(() => !existsSync(pidFile) && !existsSync(unix))
}, 30_000)
