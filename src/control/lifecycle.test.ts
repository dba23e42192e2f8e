import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { Agent, createServer, request, type Server } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { dirname, join } from "node:path"
import { type Bothways, runBothways, startBothways } from "../../test/support/bothways.ts"
import { freePort } from "../../test/support/ports.ts"
import { startProgram, temporaryFolder, untilReady } from "../../test/support/processes.ts"
import { pause, until } from "../../test/support/wait.ts"

// The whole program as a process, with real workers. Timings are of the product's promises, not of this machine.

const origin = await new Promise<Server>(resolve => {
  const server = createServer((incoming, response) => {
    const delay = Number(new URL(incoming.url ?? "/", "http://o").searchParams.get("delay") ?? 0)
    setTimeout(() => response.end(`origin ${incoming.url}`), delay)
  })
  server.listen(0, "127.0.0.1", () => resolve(server))
})
const originPort = (origin.address() as AddressInfo).port
afterAll(() => {
  origin.close()
  origin.closeAllConnections()
})

function config(port: number, more: object = {}) {
  return {
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { app: { peers: [`127.0.0.1:${originPort}`] } },
    routes: [{ name: "app", to: { cluster: "app" } }],
    observe: { accessLog: { to: "none" } },
    ...more,
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

function ask(port: number, path: string, agent: Agent | false = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = request({ host: "127.0.0.1", port, path, agent }, response => {
      let body = ""
      response.on("data", part => {
        body += part
      })
      response.on("end", () => resolve({ status: response.statusCode!, body }))
      response.on("error", reject)
    })
    out.on("error", reject)
    out.end()
  })
}

const adminOf = (proxy: Bothways) => proxy.admin.replace("http://", "")
const change = { method: "POST", headers: { "X-Bothways": "1" } }

interface StatusBody {
  readonly state: string
  readonly config: { readonly version: number; readonly lastReload: { readonly ok: boolean; readonly trigger: string } }
  readonly workers: readonly { readonly state: string; readonly restarts: number; readonly heartbeatAgeMs: number }[]
  readonly clusters: readonly { readonly peers: readonly { readonly inFlight: number; readonly requests: number }[] }[]
}

async function statusOf(proxy: Bothways): Promise<StatusBody> {
  return (await (await proxy.ask("/status")).json()) as StatusBody
}

/** Requests without pause until stopped, each on its own connection or on kept ones; what went wrong. */
function load(port: number, agent: Agent | false) {
  const seen = { done: 0, failures: [] as string[], stop: false }
  const loop = async () => {
    while (!seen.stop) {
      await ask(port, "/load", agent).then(
        answer => void (answer.status === 200 ? seen.done++ : seen.failures.push(String(answer.status))),
        (error: NodeJS.ErrnoException) => void seen.failures.push(error.code ?? error.message),
      )
      await pause(2)
    }
  }
  const finished = Promise.all([loop(), loop()])
  const finish = () => {
    seen.stop = true
    return finished
  }
  return { seen, finish }
}

describe("reload of a serving process", () => {
  test("twenty reloads, good and bad, under load: no request is lost, on new and on kept connections", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port), { workers: 2 })
    const agent = new Agent({ keepAlive: true })
    const loads = [load(port, false), load(port, agent)]
    for (let round = 0; round < 20; round++) {
      if (round % 4 === 3) proxy.rewrite("listeners: [")
      else proxy.rewrite({ ...config(port), admin: { bind: adminOf(proxy) }, workers: 2, routes: [{ name: `app-${round}`, to: { cluster: "app" } }] })
      const reply = await proxy.ask("/reload", change)
      expect([round, reply.status]).toEqual([round, round % 4 === 3 ? 422 : 200])
    }
    await Promise.all(loads.map(one => one.finish()))
    agent.destroy()
    expect(loads.map(one => one.seen.failures)).toEqual([[], []])
    expect(Math.min(...loads.map(one => one.seen.done))).toBeGreaterThan(5)
    expect((await statusOf(proxy)).config.version).toBe(16)
  }, 20_000)

  test("SIGHUP, a file change and the reload command all do it; a listener comes and goes", async () => {
    const [port, second] = [await freePort(), await freePort()]
    await using proxy = await startBothways(config(port))
    const base = { ...config(port), admin: { bind: adminOf(proxy) }, workers: 1 }
    proxy.rewrite({ ...base, listeners: { ...base.listeners, more: { bind: `127.0.0.1:${second}` } } })
    await until(async () => (await statusOf(proxy)).config.version === 2, 4000, "the file change")
    expect((await ask(second, "/")).body).toBe("origin /")
    proxy.rewrite({ ...base, routes: [{ to: { respond: { body: "by command" } } }] })
    const command = await runBothways(["reload", "--admin", adminOf(proxy)])
    // the watch may have been quicker
    expect([command.code, command.stdout]).toEqual([0, expect.stringMatching(/is live|is unchanged/)])
    expect((await ask(port, "/")).body).toBe("by command")
    await expect(ask(second, "/")).rejects.toThrow()
    proxy.program.signal("SIGHUP")
    // the log keeps it, where the status may already tell of a file change that was noticed later
    await until(() => /trigger=("[^"]*|)SIGHUP/.test(proxy.program.stderr), 3000, "the reload by SIGHUP")
    proxy.rewrite("nonsense: true")
    const refused = await runBothways(["reload", "--admin", adminOf(proxy)])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/bothways\.yaml:1:\d+: .*nonsense/)])
    expect((await ask(port, "/")).body).toBe("by command")
  }, 20_000)

  test("a new listener on a port of somebody else: refused, the old config stays", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port))
    proxy.rewrite({
      ...config(port),
      admin: { bind: adminOf(proxy) },
      listeners: { web: { bind: `127.0.0.1:${port}` }, more: { bind: `127.0.0.1:${originPort}` } },
    })
    const reply = await proxy.ask("/reload", change)
    expect([reply.status, await reply.text()]).toEqual([422, expect.stringContaining(`127.0.0.1:${originPort}`)])
    expect((await ask(port, "/x")).body).toBe("origin /x")
  }, 20_000)
})

test("a second instance does not share the port of the first, whose sockets would let it", async () => {
  const port = await freePort()
  await using proxy = await startBothways(config(port), { workers: 2 })
  const second = await runBothways(["reverse", "--listen", `127.0.0.1:${port}`, "--to", ":1"])
  expect([second.code, second.stderr]).toEqual([3, expect.stringMatching(/has taken this port; choose another with --listen\n$/)])
  expect((await ask(port, "/")).status).toBe(200)
  expect(proxy.program.hasExited).toBe(false)
}, 20_000)

describe("workers", () => {
  test("the drill: a worker ends under load, is replaced within a second, and takes its share of the counts with it", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port), { workers: 2 })
    const slow = Array.from({ length: 8 }, () =>
      ask(port, "/slow?delay=1500").then(
        () => "ok",
        () => "cut",
      ),
    )
    await until(async () => (await statusOf(proxy)).clusters[0]!.peers[0]!.inFlight === 8, 3000, "eight requests in flight")
    const start = performance.now()
    expect((await proxy.ask("/workers/0/terminate", change)).status).toBe(202)
    await until(
      async () => (await statusOf(proxy)).workers.every(worker => worker.state === "live" && worker.heartbeatAgeMs < 500),
      3000,
      "the replacement",
    )
    expect(performance.now() - start).toBeLessThan(1000)
    const status = await statusOf(proxy)
    expect(status.workers.map(worker => worker.restarts)).toEqual([1, 0])
    const outcomes = await Promise.all(slow)
    expect(outcomes.filter(outcome => outcome === "ok").length).toBe(8 - outcomes.filter(outcome => outcome === "cut").length)
    await until(async () => (await statusOf(proxy)).clusters[0]!.peers[0]!.inFlight === 0, 3000, "nothing in flight")
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, "/after")))
    expect(answers.every(answer => answer.status === 200)).toBe(true)
    expect(await (await proxy.ask("/metrics")).text()).toContain("bothways_worker_restarts_total 1")
  }, 20_000)

  test("a worker that hangs in a predicate of a TypeScript config is ended and replaced; the other serves on", async () => {
    const [port, admin] = [await freePort(), await freePort()]
    const file = join(temporaryFolder("hang"), "bothways.config.ts")
    const spin = 'when: x => { if (x.path === "/spin") while (true) {} return true }'
    writeFileSync(
      file,
      `export default { workers: 2, listeners: { web: { bind: "127.0.0.1:${port}" } }, admin: { bind: "127.0.0.1:${admin}" }, observe: { accessLog: { to: "none" } },
        routes: [{ match: { ${spin} }, to: { respond: { body: "served" } } }] }`,
    )
    await using program = startProgram("bothways", process.execPath, [join(dirname(import.meta.dirname), "main.ts"), "run", file])
    const state = async () => (await (await fetch(`http://127.0.0.1:${admin}/status`)).json()) as StatusBody
    await untilReady(program, async () => (await fetch(`http://127.0.0.1:${admin}/readyz`).catch(() => null))?.status === 200)
    const hung = ask(port, "/spin").then(
      () => "answered",
      () => "cut",
    )
    expect(await hung).toBe("cut")
    await until(async () => (await state()).workers.every(worker => worker.state === "live"), 3000, "the replacement")
    expect((await state()).workers.reduce((sum, worker) => sum + worker.restarts, 0)).toBe(1)
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(port, "/")))
    expect(answers.map(answer => answer.body)).toEqual(Array(10).fill("served"))
    expect(program.stderr).toContain("event loop")
  }, 20_000)
})

describe("the end", () => {
  test("SIGTERM: what runs is finished, new connections are refused, exit code 0", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port), { workers: 2 })
    const slow = ask(port, "/slow?delay=600")
    await until(async () => (await statusOf(proxy)).clusters[0]!.peers[0]!.inFlight === 1, 3000, "the request in flight")
    proxy.program.signal("SIGTERM")
    await pause(150)
    expect((await proxy.ask("/readyz")).status).toBe(503)
    await expect(ask(port, "/new")).rejects.toThrow()
    expect((await slow).body).toBe("origin /slow?delay=600")
    expect(await proxy.program.exit()).toBe(0)
  }, 20_000)

  test("drain.timeout cuts what does not end", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port, { drain: { timeout: "300ms" } }))
    const slow = ask(port, "/slow?delay=5000").then(
      () => "ok",
      () => "cut",
    )
    await until(async () => (await statusOf(proxy)).clusters[0]!.peers[0]!.inFlight === 1, 3000, "the request in flight")
    const start = performance.now()
    proxy.program.signal("SIGTERM")
    expect(await slow).toBe("cut")
    expect(await proxy.program.exit()).toBe(0)
    expect(performance.now() - start).toBeLessThan(2000)
  }, 20_000)

  test("a second SIGINT ends it at once with 130", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port))
    const slow = ask(port, "/slow?delay=5000").then(
      () => "ok",
      () => "cut",
    )
    await until(async () => (await statusOf(proxy)).clusters[0]!.peers[0]!.inFlight === 1, 3000, "the request in flight")
    proxy.program.signal("SIGINT")
    await pause(200)
    expect(proxy.program.hasExited).toBe(false)
    const start = performance.now()
    proxy.program.signal("SIGINT")
    expect(await proxy.program.exit()).toBe(130)
    expect(performance.now() - start).toBeLessThan(1000)
    expect(await slow).toBe("cut")
  }, 20_000)

  test("an idle connection does not hold up the drain", async () => {
    const port = await freePort()
    await using proxy = await startBothways(config(port))
    const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"))
    await new Promise<void>(resolve => socket.once("data", () => resolve()))
    const closed = new Promise<void>(resolve => socket.on("close", () => resolve()))
    const start = performance.now()
    proxy.program.signal("SIGTERM")
    expect(await proxy.program.exit()).toBe(0)
    await closed
    expect(performance.now() - start).toBeLessThan(2000)
  }, 20_000)
})

test("the demo: its three lines work as they are printed", async () => {
  const [reverse, forward, admin] = [await freePort(), await freePort(), await freePort()]
  const args = ["demo", "--reverse-port", String(reverse), "--forward-port", String(forward), "--admin-port", String(admin)]
  await using program = startProgram("demo", process.execPath, [join(dirname(import.meta.dirname), "main.ts"), ...args])
  await untilReady(program, async () => program.lines.some(line => line.includes("Ctrl-C")))
  const lines = program.lines.filter(line => line.trim().startsWith("curl ")).map(line => line.trim())
  expect(lines.length).toBe(3)
  const answers: string[] = []
  for (const line of lines) {
    const curl = startProgram("curl", "/bin/sh", ["-c", line.replace("curl ", "curl -sS -m 5 ")])
    expect([line, await curl.exit(), curl.stderr]).toEqual([line, 0, ""])
    answers.push(curl.lines.join("\n"))
  }
  expect(answers[0]).toContain("Hello from origin")
  expect(answers[1]).toContain("Hello from origin alpha")
  expect(JSON.parse(answers[2]!)).toMatchObject({ name: "bothways", state: "ready" })
  program.signal("SIGINT")
  expect(await program.exit()).toBe(0)
}, 20_000)
