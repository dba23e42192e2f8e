import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setLogSink } from "../base/index.ts"
import { type AdminReply, askAdmin } from "./cli/admin-client.ts"
import { type ConfigSource, fileSource, memorySource } from "./config-source.ts"
import { type Booted, bootInstance, type InstanceOptions } from "./instance.ts"
import type { ToWorker } from "./protocol.ts"
import { type Behaviour, FakeThread } from "./workers/fake-thread.ts"

const cleanup: (() => void)[] = []
afterEach(() => {
  for (const undo of cleanup.splice(0).reverse()) undo()
  setLogSink(null)
})

interface Running {
  readonly booted: Booted
  readonly threads: FakeThread[]
}

async function boot(source: ConfigSource, more: Partial<InstanceOptions> = {}, behave: Behaviour = {}): Promise<Running> {
  setLogSink(() => {})
  const threads: FakeThread[] = []
  const booted = await bootInstance({
    source,
    watch: false,
    workers: 2,
    admin: null,
    token: "",
    spawn: (setup, events) => {
      const thread = new FakeThread(setup, events, behave)
      threads.push(thread)
      return thread.port
    },
    ...more,
  })
  if ("instance" in booted) cleanup.push(() => booted.instance.stop(0))
  return { booted, threads }
}

async function running(source: ConfigSource, more: Partial<InstanceOptions> = {}, behave: Behaviour = {}) {
  const { booted, threads } = await boot(source, more, behave)
  if (!("instance" in booted)) throw new Error(JSON.stringify(booted))
  const { instance } = booted
  const ask = (method: "GET" | "POST", path: string): Promise<AdminReply> =>
    askAdmin({ address: instance.adminAddress, token: "" }, method, path, 5000)
  return { instance, threads, ask }
}

const config = (more: object = {}) => ({
  listeners: { web: { bind: "127.0.0.1:0" } },
  clusters: { shop: { peers: ["127.0.0.1:9"] } },
  routes: [{ name: "shop", to: { cluster: "shop" } }],
  observe: { accessLog: { to: "none" as const } },
  admin: { bind: "127.0.0.1:0" },
  ...more,
})

function file(content: object | string): string {
  const directory = mkdtempSync(join(tmpdir(), "bothways-instance-"))
  cleanup.push(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, "bothways.yaml")
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
  return path
}

function takenPort(): Promise<number> {
  return new Promise(resolve => {
    const server: Server = createServer().listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
    cleanup.push(() => server.close())
  })
}

const prepares = (thread: FakeThread) => thread.got.filter((message): message is Extract<ToWorker, { type: "prepare" }> => message.type === "prepare")

async function until(condition: () => boolean, ms = 2000): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await new Promise(resolve => setTimeout(resolve, 10)))
    if (condition()) return true
  return false
}

describe("start", () => {
  test("every worker commits the same config; port 0 is one port for all", async () => {
    const { instance, threads } = await running(memorySource("test", config()))
    expect(threads.length).toBe(2)
    const binds = threads.map(thread => prepares(thread)[0]!.config.listeners["web"]!.bind)
    expect(binds[0]).toEqual(binds[1]!)
    expect(binds[0]![0]).not.toEqual({ host: "127.0.0.1", port: 0 })
    expect(instance.config.listeners["web"]!.bind).toEqual(binds[0]!)
    expect(prepares(threads[0]!)[0]!.peers["shop"]![0]).toMatchObject({ address: "127.0.0.1", port: 9 })
  })

  test("a broken config: nothing is started", async () => {
    const { booted, threads } = await boot(memorySource("test", { listeners: {} } as never))
    expect(booted).toMatchObject({ kind: "config" })
    expect(threads).toEqual([])
  })

  test("a taken port: told in one line with what changes it, before any worker starts", async () => {
    const port = await takenPort()
    const { booted, threads } = await boot(
      memorySource("test", config({ listeners: { web: { bind: `127.0.0.1:${port}` } } }), { "listeners.web.bind": "--listen" }),
    )
    expect(booted).toMatchObject({
      kind: "port",
      problems: [{ message: `cannot listen on 127.0.0.1:${port}: another program has taken this port; choose another with --listen` }],
    })
    expect(threads).toEqual([])
  })

  test("a taken admin port counts too, and names its key", async () => {
    const port = await takenPort()
    const { booted } = await boot(memorySource("test", config({ admin: { bind: `127.0.0.1:${port}` } })))
    expect(booted).toMatchObject({
      kind: "port",
      problems: [
        { message: `cannot listen on 127.0.0.1:${port}: another program has taken this port; choose another with admin.bind in the config` },
      ],
    })
  })

  test("workers that refuse: not started, and the threads are gone", async () => {
    const refuse: Behaviour["refuse"] = message => ({
      type: "refused",
      version: message.version,
      problems: [{ message: "no such certificate", where: "listeners.web.tls", expected: "" }],
    })
    const { booted, threads } = await boot(memorySource("test", config()), {}, { refuse })
    expect(booted).toMatchObject({ kind: "refused", problems: [{ message: "no such certificate" }] })
    expect(threads.some(thread => thread.alive)).toBe(false)
  })

  test("--admin and the token win over the config; off loopback a token is required", async () => {
    expect((await running(memorySource("test", config()), { admin: "off" })).instance.adminAddress).toBe("")
    const { booted } = await boot(memorySource("test", config()), { admin: "0.0.0.0:0" })
    expect(booted).toMatchObject({ kind: "refused" })
    expect(bootInstance({ source: memorySource("test", config()), watch: false, workers: 1, admin: "nonsense", token: "" })).rejects.toThrow(
      "--admin",
    )
  })
})

describe("reload", () => {
  test("by file change, atomically replaced: all workers get it", async () => {
    const path = file(config())
    const { instance, threads } = await running(fileSource(path), { watch: true })
    writeFileSync(`${path}.new`, JSON.stringify(config({ routes: [{ name: "other", to: { cluster: "shop" } }] })))
    renameSync(`${path}.new`, path)
    expect(await until(() => threads.every(thread => prepares(thread).length === 2))).toBe(true)
    expect(await until(() => instance.config.routes[0]!.name === "other")).toBe(true)
  })

  test("table of broken configs: each is refused with its reason, the old one stays, readyz stays 200", async () => {
    const path = file(config())
    const { instance, threads, ask } = await running(fileSource(path))
    const port = await takenPort()
    const broken: [string, string | object, RegExp][] = [
      ["syntax", "listeners: [", /bothways\.yaml:\d+:\d+/],
      ["unknown option", config({ lisseners: {} }), /lisseners/],
      ["unresolvable cluster", config({ clusters: { shop: { peers: ["no-such-name.invalid:80"] } } }), /no-such-name\.invalid/],
      [
        "missing certificate",
        config({ listeners: { web: { bind: "127.0.0.1:0", tls: { certificates: [{ cert: "none.pem", key: "none.key" }] } } } }),
        /none\.pem/,
      ],
      [
        "taken port",
        config({ listeners: { web: { bind: "127.0.0.1:0" }, more: { bind: `127.0.0.1:${port}` } } }),
        /has taken this port; choose another with listeners\.more\.bind/,
      ],
      ["empty file", "", /empty/],
    ]
    for (const [name, content, reason] of broken) {
      writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
      const reply = await ask("POST", "/reload")
      expect([name, reply.status]).toEqual([name, 422])
      expect(reply.body).toMatch(reason)
    }
    expect((await ask("GET", "/readyz")).status).toBe(200)
    expect(instance.config.routes[0]!.name).toBe("shop")
    expect(threads.every(thread => prepares(thread).length === 1)).toBe(true)
    const status = JSON.parse((await ask("GET", "/status")).body)
    expect(status.config).toMatchObject({ version: 1, lastReload: { ok: false, trigger: "admin API" } })
    expect((await ask("GET", "/metrics")).body).toContain('bothways_config_reloads_total{result="refused"} 6')
  }, 15_000)

  test("our own ports are not taken; a refused reload leaves them so", async () => {
    const path = file(config())
    const { instance, ask } = await running(fileSource(path))
    const bind = instance.config.listeners["web"]!.bind[0] as { port: number }
    // stands for the worker's listening socket
    const server = createServer().listen(bind.port, "127.0.0.1")
    cleanup.push(() => server.close())
    writeFileSync(path, JSON.stringify(config({ routes: [{ name: "b", to: { cluster: "shop" } }] })))
    expect((await ask("POST", "/reload")).status).toBe(200)
    expect(instance.config.listeners["web"]!.bind[0]).toEqual(bind as never)
  })

  test("the same config: certificates are read again, nothing else happens", async () => {
    const { threads, ask } = await running(fileSource(file(config())))
    expect(JSON.parse((await ask("POST", "/reload")).body)).toMatchObject({ ok: true, version: 1, changed: false })
    expect(threads[0]!.got.at(-1)).toEqual({ type: "certificates" })
  })

  test("the admin listener follows the config: another token at once", async () => {
    const path = file(config())
    const { instance, ask } = await running(fileSource(path))
    writeFileSync(path, JSON.stringify(config({ admin: { bind: "127.0.0.1:0", token: "s3cret-s3cret-s3cret" } })))
    expect((await ask("POST", "/reload")).status).toBe(200)
    expect((await ask("GET", "/status")).status).toBe(401)
    expect((await askAdmin({ address: instance.adminAddress, token: "s3cret-s3cret-s3cret" }, "GET", "/status")).status).toBe(200)
  })

  test("the admin listener moves, also to an address that overlaps the old one, and the reload that moves it is answered", async () => {
    const path = file(config())
    const { instance, ask } = await running(fileSource(path))
    const port = Number(instance.adminAddress.split(":").at(-1))
    const free = await takenPort()
    for (const undo of cleanup.splice(-1)) undo()
    const token = "s3cret-s3cret-s3cret"
    writeFileSync(path, JSON.stringify(config({ admin: { bind: `127.0.0.1:${free}`, token } })))
    expect((await ask("POST", "/reload")).status).toBe(200)
    expect(instance.adminAddress).toBe(`127.0.0.1:${free}`)
    expect(askAdmin({ address: `127.0.0.1:${port}`, token }, "GET", "/healthz")).rejects.toThrow("no instance")
    writeFileSync(path, JSON.stringify(config({ admin: { bind: `0.0.0.0:${free}`, token } })))
    expect((await askAdmin({ address: `127.0.0.1:${free}`, token }, "POST", "/reload")).status).toBe(200)
    expect(instance.adminAddress).toBe(`0.0.0.0:${free}`)
    writeFileSync(path, JSON.stringify(config({ admin: "off" })))
    expect((await askAdmin({ address: `127.0.0.1:${free}`, token }, "POST", "/reload")).status).toBe(200)
    expect(instance.adminAddress).toBe("")
  })
})

describe("admin on a running instance", () => {
  test("status, metrics and config tell what is there", async () => {
    const { ask } = await running(memorySource("a test", config({ admin: { bind: "127.0.0.1:0" } })))
    const status = JSON.parse((await ask("GET", "/status")).body)
    expect(status).toMatchObject({ name: "bothways", state: "ready", config: { version: 1, source: "a test" } })
    expect(status.workers.length).toBe(2)
    expect(status.clusters[0]).toMatchObject({ name: "shop", available: 1, peers: [{ name: "127.0.0.1:9", health: "unknown", inFlight: 0 }] })
    expect(status.listeners[0].bind[0]).toMatch(/^127\.0\.0\.1:\d+$/)
    const metrics = (await ask("GET", "/metrics")).body
    for (const line of ["bothways_workers_live 2", "bothways_config_version 1", 'bothways_peer_available{cluster="shop",peer="127.0.0.1:9"} 1'])
      expect(metrics).toContain(line)
    expect(JSON.parse((await ask("GET", "/config")).body).routes[0].name).toBe("shop")
  })

  test("the drill: a worker ends at once and is replaced; meanwhile not ready, afterwards ready", async () => {
    const { threads, ask } = await running(memorySource("test", config()))
    expect((await ask("POST", "/workers/1/terminate")).status).toBe(202)
    expect(await until(() => threads.length === 3 && threads[2]!.got.some(message => message.type === "commit"))).toBe(true)
    expect([threads[0]!.alive, threads[1]!.alive]).toEqual([true, false])
    let ready = 0
    for (let tries = 0; tries < 50 && ready !== 200; tries++) ready = (await ask("GET", "/readyz")).status
    expect(ready).toBe(200)
  })

  test("drain by the admin API: readyz says so, workers are told, the instance ends with 0", async () => {
    const { instance, threads, ask } = await running(memorySource("test", config()), {}, { silent: message => message.type === "drain" })
    expect((await ask("POST", "/drain?timeout=200ms")).status).toBe(202)
    expect((await ask("GET", "/readyz")).body).toBe("draining\n")
    expect(JSON.parse((await ask("POST", "/reload")).body).ok).toBe(false)
    expect(threads[0]!.got.at(-1)).toEqual({ type: "drain", timeoutMs: 200 })
    expect(await instance.ended).toBe(0)
  })
})
