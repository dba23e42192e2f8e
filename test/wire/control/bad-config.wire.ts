import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { type Bothways, runBothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { startProgram, temporaryFolder, untilReady } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { pause, until } from "../../support/wait.ts"

const [web, admin, taken, other] = (await freePorts(4)) as [number, number, number, number]
const dns = await DnsServer.start()
const base = `
admin: { bind: "127.0.0.1:${admin}" }
resolver: { servers: ["${dns.address}"], timeout: 300ms, attempts: 1 }
workers: 2
listeners:
  web: { bind: "127.0.0.1:${web}" }
routes:
  - { name: a, match: { path: "/a" }, to: { respond: { body: "a" } } }
  - { name: b, match: { path: "/b" }, to: { respond: { body: "b" } } }
`
const good = (word: string): string => base.replace('body: "b"', `body: "${word}"`)
// The watch would be one more that loads the config, at a time of its own.
const proxy = await startBothways(base, { args: ["--no-watch"] })
const occupied = createServer()
await new Promise<void>(resolve => occupied.listen(taken, "127.0.0.1", () => resolve()))
afterAll(async () => {
  await proxy.stop()
  occupied.close()
  dns.stop()
})

async function body(path: string, port = web): Promise<string> {
  using client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  return (await client.response()).body
}

/** Requests on a connection that stays and on new ones while `work` goes on; every one must be answered by the old config. */
async function withoutLoss<T>(work: () => Promise<T>, expected = "b"): Promise<T> {
  let done = false
  let count = 0
  const load = async (): Promise<void> => {
    using kept = await rawClient(web)
    while (!done) {
      kept.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
      expect((await kept.response()).body).toBe("a")
      expect(await body("/b")).toBe(expected)
      count += 2
      await pause(2)
    }
  }
  const loads = Promise.all([load(), load()])
  try {
    return await Promise.race([work(), loads.then(() => Promise.reject(new Error("the load ended")))])
  } finally {
    done = true
    await loads
    expect(count).toBeGreaterThan(3)
  }
}

interface Answer {
  readonly ok: boolean
  readonly version: number
  readonly problems?: string[]
}

async function reload(of: Bothways = proxy): Promise<{ status: number; answer: Answer }> {
  const response = await of.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })
  return { status: response.status, answer: (await response.json()) as Answer }
}

interface Status {
  readonly config: { readonly version: number; readonly lastReload: { readonly trigger: string; readonly ok: boolean } }
  readonly workers: readonly { readonly configVersion: number }[]
}

const status = async (): Promise<Status> => (await (await proxy.ask("/status")).json()) as Status

interface Bad {
  readonly config: string
  /** What the answer must name besides the file and the line. */
  readonly names: readonly (RegExp | string)[]
  /** The line that is to blame, 0 = the whole. */
  readonly line: number
  /** Whether `check` can know without a socket and a resolver. */
  readonly checkKnows: boolean
}

const route = (text: string): string => `${base}  - { name: c, match: { path: "/c" }, ${text} }\n`
const lines = base.split("\n").length
const bad: Record<string, Bad> = {
  "a: a syntax error": { config: `${base}  - { name: c, match: { path: "/c" }, to: { respond: {}\n`, names: [], line: lines, checkKnows: true },
  "b: an unknown option": {
    config: route('to: { respond: { bodyy: "c" } }'),
    names: [/routes\[2\]/, /bodyy/, /body/],
    line: lines,
    checkKnows: true,
  },
  "c: a name that does not resolve": {
    config: `${route("to: { cluster: far }")}clusters: { far: { peers: ["nowhere.test:80"] } }\n`,
    names: [/clusters\.far\.peers/, /nowhere\.test/],
    line: 0,
    checkKnows: false,
  },
  "d: a certificate file that is missing": {
    config: base.replace(`"127.0.0.1:${web}" }`, `"127.0.0.1:${web}", tls: { certificates: [{ cert: missing.pem, key: missing.key }] } }`),
    names: [/listeners\.web\.tls\.certificates\[0\]/, /missing\.pem/],
    line: 6,
    checkKnows: true,
  },
  "e: a port that is in use": {
    config: base.replace("listeners:\n", `listeners:\n  two: { bind: "127.0.0.1:${taken}" }\n`),
    names: [/listeners\.two\.bind/, String(taken)],
    line: 0,
    checkKnows: false,
  },
  "i: an empty file": { config: "", names: [/listeners/], line: 0, checkKnows: true },
  "i: a file of nothing but comments": { config: "# later\n\n", names: [/listeners/], line: 0, checkKnows: true },
}

describe("O-53: a config that cannot be used stops nothing", () => {
  for (const [name, { config, names, line, checkKnows }] of Object.entries(bad)) {
    test(name, async () => {
      const { version } = (await status()).config
      await withoutLoss(async () => {
        proxy.rewrite(config)
        const { status: code, answer } = await reload()
        expect([code, answer.ok, answer.version]).toEqual([422, false, version])
        const told = answer.problems!.join("\n")
        for (const pattern of names) expect(told).toMatch(pattern)
        if (line > 0) expect(told).toContain(`${proxy.configFile}:${line}:`)
        const command = await runBothways(["reload", "--admin", `127.0.0.1:${admin}`])
        expect([command.code, command.stderr + command.stdout]).toEqual([2, expect.stringContaining(answer.problems![0]!.slice(0, 60))])
        const check = await runBothways(["check", proxy.configFile])
        expect(check.code).toBe(checkKnows ? 2 : 0)
        if (checkKnows) for (const pattern of names) expect(check.stdout + check.stderr).toMatch(pattern)
      })
      await until(() => proxy.program.stderr.includes("config refused; the old one stays"))
      expect((await scrape(proxy)).get("bothways_config_last_reload_successful")).toBe(0)
    })
  }
  test("and the next good one is taken", async () => {
    proxy.rewrite(good("b2"))
    expect((await reload()).status).toBe(200)
    for (let i = 0; i < 6; i++) expect(await body("/b")).toBe("b2")
    expect((await scrape(proxy)).get("bothways_config_last_reload_successful")).toBe(1)
    proxy.rewrite(base)
    await reload()
  })
  test("SIGHUP with a broken file: the same", async () => {
    await withoutLoss(async () => {
      proxy.rewrite("listeners: [")
      proxy.program.signal("SIGHUP")
      await until(async () => {
        const { lastReload } = (await status()).config
        return lastReload.trigger === "SIGHUP" && !lastReload.ok
      })
    })
    proxy.rewrite(base)
    expect((await reload()).status).toBe(200)
  })
})

describe("O-53 f: fragments", () => {
  test("all or nothing: a good one waits for the broken one beside it", async () => {
    const folder = join(temporaryFolder("fragments"), "conf.d")
    mkdirSync(folder)
    const [port, adminPort] = (await freePorts(2)) as [number, number]
    const put = (name: string, text: string): void => writeFileSync(join(folder, name), text)
    put("10-listeners.yaml", `listeners: { web: { bind: "127.0.0.1:${port}" } }\nworkers: 1\nadmin: { bind: "127.0.0.1:${adminPort}" }\n`)
    put("20-a.yaml", 'routes:\n  - { name: a, match: { path: "/a" }, to: { respond: { body: "a" } } }\n')
    await using program = startProgram("bothways", process.execPath, [join(import.meta.dirname, "../../../src/main.ts"), "run", folder])
    await untilReady(program, () =>
      fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
    const post = (): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}/reload`, { method: "POST", headers: { "X-Bothways": "1" } })
    put("30-good.yaml", 'routes:\n  - { name: good, match: { path: "/good" }, to: { respond: { body: "good" } } }\n')
    put("40-broken.yaml", 'routes:\n  - { name: broken, match: { path: "/broken" }, to: { nowhere: 1 } }\n')
    const answer = (await (await post()).json()) as Answer
    expect([answer.ok, answer.problems!.join("\n")]).toEqual([false, expect.stringContaining(`${join(folder, "40-broken.yaml")}:2:`)])
    expect([await body("/a", port), (await body("/good", port)).includes("proxy.no-route")]).toEqual(["a", true])
    const check = await runBothways(["check", folder])
    expect([check.code, check.stdout + check.stderr]).toEqual([2, expect.stringContaining("40-broken.yaml")])
    rmSync(join(folder, "40-broken.yaml"))
    await until(async () => (await body("/good", port)) === "good", 4000, "the good fragment, by the watch of the folder")
  })
})

describe("O-53 g: a start with a broken file", () => {
  test("is refused: status 2, the place of the mistake, no listener", async () => {
    const file = join(temporaryFolder("broken"), "bothways.yaml")
    writeFileSync(file, `listeners: { web: { bind: "127.0.0.1:${other}" } }\nroutes:\n  - { name: c, match: {}, to: { respond: { bodyy: "c" } } }\n`)
    const { code, stderr } = await runBothways(["run", file, "--admin", "off"])
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${file}:3:`)])
    expect(stderr).toContain("not started")
    await expect(rawClient(other)).rejects.toThrow()
  })
})

describe("O-53 h: two reloads at the same moment", () => {
  test("each is a whole config; all workers end with the last one, and nothing is mixed", async () => {
    const mixed: string[] = []
    let done = false
    const watch = (async () => {
      using kept = await rawClient(web)
      while (!done) {
        kept.send("GET /pair HTTP/1.1\r\nHost: x\r\n\r\n")
        const { fields, body } = await kept.response()
        if (fields["x-word"] !== undefined && fields["x-word"] !== body) mixed.push(`${fields["x-word"]} ${body}`)
      }
    })()
    const pair = (word: string): string =>
      `${base}  - { name: pair, match: { path: "/pair" }, to: { respond: { body: "${word}", headers: { X-Word: "${word}" } } } }\n`
    for (let round = 0; round < 5; round++) {
      proxy.rewrite(pair(`first${round}`))
      const first = reload()
      proxy.rewrite(pair(`second${round}`))
      proxy.program.signal("SIGHUP")
      const answers = await Promise.all([first, reload(), reload()])
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      for (let i = 0; i < 6; i++) expect(await body("/pair")).toBe(`second${round}`)
    }
    done = true
    await watch
    expect(mixed).toEqual([])
    const { workers, config } = await status()
    expect(workers.map(worker => worker.configVersion)).toEqual([config.version, config.version])
  })
})
