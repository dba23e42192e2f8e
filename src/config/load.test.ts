import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Authority } from "../../test/support/certificates.ts"
import { type LoadResult, loadConfig, parseConfig } from "./load.ts"
import type { Config } from "./schema.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-config-"))
let authority: Authority

beforeAll(() => {
  authority = new Authority()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  mkdirSync(join(file, ".."), { recursive: true })
  writeFileSync(file, text)
  return file
}

function configOf(result: LoadResult): Config {
  if (!result.ok) throw new Error(result.problems.map(problem => `${problem.line}:${problem.column} ${problem.path}: ${problem.message}`).join("\n"))
  return result.config
}

function linesOf(result: LoadResult): string[] {
  const problems = result.ok ? result.warnings : result.problems
  return problems.map(problem => `${problem.file.slice(folder.length + 1)}:${problem.line}:${problem.column} ${problem.message}`)
}

const good = "listeners: { web: { bind: ':8080' } }\nclusters: { shop: { peers: ['127.0.0.1:9001'] } }\nroutes: [ { to: { cluster: shop } } ]\n"

/** The config that the comparison with other proxies runs, its placeholders filled in. */
function benchText(): string {
  const { certFile, keyFile } = authority.issue(["localhost"])
  return `
workers: 1
listeners:
  web:    { bind: "127.0.0.1:18080" }
  secure: { bind: "127.0.0.1:18443", tls: { certificates: [ { cert: "${certFile}", key: "${keyFile}" } ] } }
  egress: { bind: "127.0.0.1:13128", forward: { privateRanges: allow } }
clusters:
  origin: { peers: [ "127.0.0.1:19001" ] }
caches:
  main: { memory: 256MB }
routes:
  - match: { listener: egress, path: "/cached/*" }
    filters: [ { cache: { store: main } } ]
    to: { origin: {} }
  - match: { listener: egress }
    to: { origin: {} }
  - match: { path: "/cached/*" }
    filters: [ { cache: { store: main } } ]
    to: { cluster: origin }
  - match: { path: "/static/*" }
    to: { files: { root: "${folder}", strip: "/static" } }
  - match: {}
    to: { cluster: origin }
observe: { accessLog: { to: none } }
admin: { bind: "127.0.0.1:19900" }
`
}

describe("the model", () => {
  test("of the comparison's config", () => {
    const result = parseConfig(benchText(), join(folder, "bench.yaml"))
    const config = configOf(result)
    expect(linesOf(result)).toEqual([])
    expect(config.workers).toBe(1)
    expect(config.listeners.secure!.tls!.certificates).toHaveLength(1)
    expect(config.listeners.egress!.forward).toMatchObject({ privateRanges: "allow", connectPorts: ["443"], privacy: "standard", auth: null })
    expect(config.routes.map(route => route.to.kind)).toEqual(["origin", "origin", "cluster", "answer", "cluster"])
    expect(config.routes.map(route => route.encodedSlashes)).toEqual(["refuse", "allow", "refuse", "refuse", "allow"])
    expect(config.observe.accessLog.to).toEqual({ kind: "none" })
    expect(config.admin).toEqual({ bind: { host: "127.0.0.1", port: 19900 }, token: null, hosts: [], peersFile: null })
  })

  test("has the documented defaults", () => {
    const config = configOf(parseConfig(good))
    expect(config.workers).toBe("auto")
    expect(config.admin).toBeNull()
    expect(config.drain).toEqual({ timeout: 30_000 })
    expect(config.resolver).toMatchObject({ servers: null, timeout: 2000, negativeTtl: 1000, ttlMax: 3_600_000, staleFor: 600_000 })
    const { bind, tls, forward, limits, timeouts } = config.listeners.web!
    expect({ bind, tls, forward }).toEqual({ bind: [{ host: "", port: 8080 }], tls: null, forward: null })
    expect(limits).toMatchObject({ connectionsMax: 65_536, connectionsPerClientMax: 0, headBytesMax: 65_536, fieldsMax: 256, targetBytesMax: 16_384 })
    const rates = { bodyRateMin: 0, writeRateMin: 0 }
    expect(timeouts).toEqual({ handshake: 10_000, head: 15_000, idle: 75_000, body: 30_000, ...rates, write: 60_000, tunnelIdle: 3_600_000 })
    const { peers, balance, health, allDown, tls: upstreamTls, retry } = config.clusters.shop!
    expect(peers).toEqual([{ address: "127.0.0.1:9001", host: "127.0.0.1", port: 9001, path: "", weight: 1, backup: false }])
    expect({ name: balance.name, allDown, upstreamTls }).toEqual({ name: "round-robin", allDown: "try", upstreamTls: null })
    expect(health.active).toBeNull()
    expect(health.passive).toEqual({
      failures: 5,
      eject: 10_000,
      ejectMax: 300_000,
      ejectedShareMax: 0.5,
      counts: "5xx",
      interval: 10_000,
      successRate: null,
      failureShare: null,
      latency: null,
    })
    expect(retry).toEqual({ attempts: 2, status: [], budget: 0.2, replayBytesMax: 65_536 })
    expect(config.routes[0]).toMatchObject({ name: "route-1", upgrade: ["websocket"], timeouts: {}, retry: {}, bodyBytesMax: null })
  })

  test("of short and long forms is the same", () => {
    const short = good
      .replace("bind: ':8080'", "bind: '127.0.0.1:1', forward: true")
      .replace("9001'", "9001', '[::1]:9002', 'unix:/run/a.sock'")
      .replace("to:", "match: { path: /a }, to:")
    const long = good
      .replace("bind: ':8080'", "bind: ['127.0.0.1:1'], forward: { connectPorts: [443], ports: [80, 443, 1025-65535] }")
      .replace(
        "'127.0.0.1:9001'",
        "{ address: '127.0.0.1:9001', weight: 1 }, { address: '[::1]:9002' }, { address: 'unix:/run/a.sock', backup: false }",
      )
      .replace("to:", "filters: [], encodedSlashes: refuse, match: { path: /a }, to:")
    expect(
      configOf(
        parseConfig(
          long.replace("peers:", "balance: { round-robin: {} }, allDown: try, tls: off, health: {}, peers:").replace("tls: off", "tls: false"),
        ),
      ),
    ).toEqual(configOf(parseConfig(short)))
  })

  test("statuses of a retry rule are numbers, ranges spelt out", () => {
    const { retry } = configOf(parseConfig(good.replace("peers:", "retry: { status: [503, 500-502, 503] }, peers:"))).clusters.shop!
    expect(retry.status).toEqual([500, 501, 502, 503])
  })

  test("of a health check has its schedule beside its options", () => {
    const { health } = configOf(
      parseConfig(good.replace("peers:", "health: { http: { path: /up, every: 1s, timeout: 500ms }, passive: off }, peers:")),
    ).clusters.shop!
    expect(health).toMatchObject({
      passive: null,
      active: { name: "http", every: 1000, timeout: 500, rise: 2, fall: 3, jitter: 0.1, options: { path: "/up" } },
    })
    expect(health.active!.options).not.toHaveProperty("every")
  })

  test("is plain data, so that it can be sent to a worker", () => {
    const config = configOf(parseConfig(benchText()))
    expect(structuredClone(config)).toEqual(config)
  })

  test("has absolute paths, counted from the config file", () => {
    const made = authority.issue(["a.test"])
    write("site/a.crt", made.cert)
    write("site/a.key", made.key)
    write("site/users", "demo:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=\n")
    const file = write(
      "site/main.yaml",
      `listeners: { web: { bind: "127.0.0.1:1", forward: { auth: { htpasswd: users } }, tls: { certificates: [ { cert: a.crt, key: ./a.key } ] } } }
routes: [ { match: { path: /x }, to: { files: { root: ../site } } }, { to: { origin: {} } } ]
observe: { accessLog: { to: { file: access.log } } }
`,
    )
    return loadConfig(file).then(result => {
      const config = configOf(result)
      expect(config.listeners.web!.tls!.certificates).toEqual([{ cert: join(folder, "site/a.crt"), key: join(folder, "site/a.key") }])
      expect(config.listeners.web!.forward!.auth!.htpasswd).toBe(join(folder, "site/users"))
      expect(config.routes[0]!.to).toMatchObject({ options: { root: join(folder, "site") } })
      expect(config.observe.accessLog.to).toEqual({ kind: "file", path: join(folder, "site/access.log") })
      expect(result).toMatchObject({ baseDir: join(folder, "site"), files: [file], script: false })
    })
  })
})

const rich = {
  listeners: { web: { bind: ":8080", limits: { headBytesMax: "32KB" } }, egress: { bind: "127.0.0.1:3128", forward: { privacy: "high" } } },
  clusters: { shop: { peers: ["127.0.0.1:9001", { address: "127.0.0.1:9002", weight: 2 }], balance: { "consistent-hash": { key: "path" } } } },
  routes: [
    { match: { listener: "egress" }, to: { origin: {} } },
    { match: { host: ["a.test", "*.a.test"], header: { "x-a": true } }, retry: { attempts: 3 }, to: { cluster: "shop" } },
    { to: { respond: { status: 404, headers: { "content-type": "text/plain" } } } },
  ],
  admin: { token: "0123456789abcdef" },
}

const richYaml = `
listeners:
  web: { bind: ":8080", limits: { headBytesMax: 32KB } }
  egress:
    bind: 127.0.0.1:3128
    forward: { privacy: high }
clusters:
  shop:
    peers:
      - 127.0.0.1:9001
      - &second { address: 127.0.0.1:9002, weight: 2 }
    balance: { consistent-hash: { key: path } }
routes:
  - { match: { listener: egress }, to: { origin: {} } }
  - match: { host: [ a.test, "*.a.test" ], header: { x-a: true } }
    retry: { attempts: 3 }
    to: { cluster: shop }
  - to: { respond: { status: 404, headers: { content-type: text/plain } } }
admin: { token: "0123456789abcdef" }
`

describe("sources", () => {
  test("YAML, JSON and TypeScript give the same model", async () => {
    const yaml = configOf(await loadConfig(write("same/a.yaml", richYaml)))
    const json = configOf(await loadConfig(write("same/a.json", JSON.stringify(rich, null, "\t"))))
    const script = await loadConfig(write("same/a.config.ts", `const config: object = ${JSON.stringify(rich)}\nexport default config\n`))
    expect(json).toEqual(yaml)
    expect(configOf(script)).toEqual(yaml)
    expect(script).toMatchObject({ script: true })
  })

  test("a script is run afresh at each load, and may hold functions", async () => {
    const body = (port: number) => `import { port } from "./parts/port.ts"
export default {
  listeners: { web: { bind: ":" + port } },
  routes: [{ match: { when: x => x.port === ${port} }, filters: [{ name: "mine", access: () => 0 }], to: { respond: {} } }],
}
`
    const part = (port: number) => write("parts/port.ts", `export const port: number = ${port}\n`)
    part(1)
    const first = configOf(await loadConfig(write("fresh.config.ts", body(1))))
    part(2)
    const second = configOf(await loadConfig(write("fresh.config.ts", body(2))))
    expect([first.listeners.web!.bind, second.listeners.web!.bind]).toEqual([[{ host: "", port: 1 }], [{ host: "", port: 2 }]])
    expect(second.routes[0]!.match.when!({ port: 2 } as never)).toBe(true)
    expect(second.routes[0]!.filters[0]).toMatchObject({ name: "mine", options: null, inline: { access: expect.any(Function) } })
  })

  test("a script's problems point into its literal", async () => {
    const file = write(
      "bad.config.ts",
      `import { join } from "node:path"

const shop = { peers: [] } // { not: "this" }
export default {
  listeners: { web: { bind: ":8080", /* } */ "tsl": 1 } },
  clusters: { shop, other: { peers: ["a:1", "b"] } },
  routes: [
    { to: { cluster: "other" }, match: { path: \`/{\${join("a")}\` } },
    { to: { cluster: "shoop" } },
  ],
}
`,
    )
    expect(linesOf(await loadConfig(file))).toEqual([
      `bad.config.ts:5:46 unknown key "tsl"; did you mean "tls"?`,
      "bad.config.ts:6:15 expected at least 1 entry, got an empty list",
      `bad.config.ts:6:45 "b" is not an address: expected "host:port", "[IPv6]:port" or "unix:/path"`,
      `bad.config.ts:9:22 there is no cluster "shoop"; did you mean "shop"?`,
    ])
  })

  test("scripts that cannot be run, or give no config", async () => {
    const cases: [string, RegExp][] = [
      ["throw new Error('no luck')\n", /broken-0.config.ts:1:\d+ cannot be run: no luck$/],
      ["export default {\n  listeners: {\n", /cannot be run/],
      ["export const config = {}\n", /expected `export default defineConfig/],
      ["export default []\n", /expected `export default defineConfig/],
      ["export default { get listeners() { throw new Error('later') } }\n", /cannot be read: later/],
      ["const a: any = { routes: [] }\na.routes.push(a)\nexport default a\n", /unknown key "routes"/],
      ["\nimport './nowhere.ts'\nexport default {}\n", /broken-6.config.ts:2:9 cannot be run: .*nowhere.ts' imported from [^?]+$/],
      ["\nfunction f() {\n  throw new Error('deep')\n}\nf()\n", /broken-7.config.ts:3:\d+ cannot be run: deep$/],
      ["throw 'words'\n", /broken-8.config.ts:1:1 cannot be run: words$/],
      ["import './open.ts'\nexport default {}\n", /open.ts:2:\d+ cannot be run/],
      ["import './thrower.ts'\nexport default {}\n", /thrower.ts:2:\d+ cannot be run: inside$/],
    ]
    write("open.ts", "\nexport const a = [\n")
    write("thrower.ts", "\nthrow new Error('inside')\n")
    for (const [i, [text, expected]] of cases.entries()) {
      expect(linesOf(await loadConfig(write(`broken-${i}.config.ts`, text))).join("\n")).toMatch(expected)
    }
  })

  test("files that cannot be read", async () => {
    expect(linesOf(await loadConfig(join(folder, "nowhere.yaml")))).toEqual(["nowhere.yaml:1:1 there is no such file"])
    const file = write("latin.yaml", "")
    writeFileSync(file, Buffer.from([0x61, 0xff, 0x62]))
    expect(linesOf(await loadConfig(file))).toEqual(["latin.yaml:1:1 not UTF-8 text"])
    writeFileSync(file, Buffer.alloc(16 * 1024 ** 2 + 1, 0x20))
    expect(linesOf(await loadConfig(file))).toEqual(["latin.yaml:1:1 larger than 16 MB; this is no config"])
  })
})

describe("a directory of fragments", () => {
  const fragments = (name: string, files: Record<string, string>) => {
    for (const [file, text] of Object.entries(files)) write(`${name}/${file}`, text)
    return loadConfig(join(folder, name))
  }
  const web = "listeners: { web: { bind: ':8080' } }\n"
  const shop = "clusters: { shop: { peers: ['127.0.0.1:1'] } }\nroutes: [ { name: shop, match: { path: /shop }, to: { cluster: shop } } ]\n"

  test("is joined in the order of the names", async () => {
    const result = await fragments("joined", {
      "20-shop.yaml": shop,
      "10-web.json": '{ "listeners": { "web": { "bind": ":8080" } } }',
      "30-rest.config.ts": "export default { routes: [{ name: 'rest', to: { respond: { status: 404 } } }] }\n",
      "README.md": "not a fragment",
      ".hidden.yaml": "]",
      "old.yaml.bak": "]",
    })
    expect(configOf(result).routes.map(route => route.name)).toEqual(["shop", "rest"])
    expect(result.files.map(file => file.slice(folder.length))).toEqual(["/joined/10-web.json", "/joined/20-shop.yaml", "/joined/30-rest.config.ts"])
    expect(result).toMatchObject({ script: true, baseDir: join(folder, "joined") })
  })

  test("names the fragment, the line and the column", async () => {
    const result = await fragments("places", { "a.yaml": web, "b.yaml": shop, "c.yaml": "routes:\n  - to: { cluster: shop }\n  - too: {}\n" })
    expect(linesOf(result)).toEqual([`places/c.yaml:3:5 unknown key "too"; did you mean "to"?`])
  })

  test("is all or nothing", async () => {
    const result = await fragments("broken", { "a.yaml": web, "b.yaml": shop, "c.yaml": "routes: [\n" })
    expect(result.ok).toBe(false)
    expect(linesOf(result)[0]).toBe("broken/c.yaml:1:9 this [ is not closed")
  })

  test("has each name and each other section once", async () => {
    const result = await fragments("twice", {
      "a.yaml": `${web}drain: { timeout: 1s }\n`,
      "b.yaml": shop,
      "c.yaml": `drain: {}\nlisteners: { web: { bind: ':1' } }\n`,
    })
    expect(linesOf(result)).toEqual([
      `twice/c.yaml:1:1 "drain" is already in ${folder}/twice/a.yaml:2`,
      `twice/c.yaml:2:14 "web" is already in ${folder}/twice/a.yaml:1`,
    ])
  })

  test("without fragments, with an empty one, or with a section of the wrong kind", async () => {
    mkdirSync(join(folder, "none"))
    expect(linesOf(await loadConfig(join(folder, "none")))[0]).toContain("has no fragments")
    expect(linesOf(await fragments("empty", { "a.yaml": web, "b.yaml": "" }))).toEqual([
      "empty/b.yaml:1:1 the config is empty; it needs at least listeners and routes",
    ])
    expect(linesOf(await fragments("kinds", { "a.yaml": web, "b.yaml": "routes: 3\n", "c.yaml": shop }))).toEqual([
      "kinds/b.yaml:1:9 expected a list, got 3",
    ])
    expect(linesOf(await fragments("lists", { "a.yaml": web, "b.yaml": "- 1\n" }))).toEqual([
      "lists/b.yaml:1:1 expected a map with sections such as listeners and routes",
    ])
  })
})
