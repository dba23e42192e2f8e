import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { figure, scaled } from "../../support/long.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import type { Program } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"

// One rule for matching and forwarding: whatever spelling a path comes in, what nginx makes of what we send is of the class that our route was chosen for.
// test/wire/route/path-rules.wire.ts has the spellings of field case O-18 by name; these are thousands that nobody has thought of.

const RUNS = scaled(500, 10_000)

let proxy: Bothways
let nginx: Program
const listeners = ["deny", "allow", "open", "strip", "pattern", "path", "files"] as const
type Listener = (typeof listeners)[number]
const ports = {} as Record<Listener, number>

beforeAll(async () => {
  const [peer, ...rest] = (await freePorts(1 + listeners.length)) as [number, ...number[]]
  for (const [i, name] of listeners.entries()) ports[name] = rest[i]!
  nginx = await startNginx(
    peer,
    `server { listen 127.0.0.1:${peer}; location = /admin { return 200 admin; } location /admin/ { return 200 admin; }
     location = /pub { return 200 pub; } location /pub/ { return 200 pub; } location / { return 200 other; } }`,
  )
  const root = `${nginx.child.spawnargs[2]}/site`
  for (const folder of ["admin", "pub"]) {
    mkdirSync(join(root, folder), { recursive: true })
    for (const file of ["index.html", "x", "users"]) writeFileSync(join(root, folder, file), folder)
  }
  const to = { cluster: "nginx" }
  const refusal = { respond: { status: 403, body: "no" } }
  const admin = (base: string): string[] => [`${base}/admin`, `${base}/admin/*`]
  proxy = await startBothways({
    listeners: Object.fromEntries(listeners.map(name => [name, { bind: `127.0.0.1:${ports[name]}` }])),
    clusters: { nginx: { peers: [`127.0.0.1:${peer}`] } },
    routes: [
      { match: { listener: "deny", path: admin("") }, to: refusal },
      { match: { listener: "deny" }, to },
      { match: { listener: "allow", path: ["/pub", "/pub/*"] }, to },
      { match: { listener: "open", path: admin("") }, encodedSlashes: "allow", to: refusal },
      { match: { listener: "open" }, to },
      { match: { listener: "strip", path: admin("/pub") }, to: refusal },
      { match: { listener: "strip", path: "/pub/*" }, filters: [{ rewrite: { strip: "/pub" } }], to },
      { match: { listener: "pattern", path: admin("/pub") }, to: refusal },
      { match: { listener: "pattern", path: "/pub/*" }, filters: [{ rewrite: { pattern: { match: "^/pub/(.*)$", to: "/$1" } } }], to },
      // Whatever is asked for stays below what is put in front.
      { match: { listener: "path" }, filters: [{ rewrite: { prefix: "/pub/in" } }], to },
      { match: { listener: "files", path: admin("") }, to: refusal },
      { match: { listener: "files" }, to: { files: { root, listing: false } } },
    ],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  await nginx.stop()
})

interface Answer {
  readonly status: number
  readonly body: string
}

async function get(listener: Listener, target: string): Promise<Answer> {
  using client = await rawClient(ports[listener])
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  return await client.response()
}

const letters = ["a", "d", "m", "i", "n", "p", "u", "b", "x", "/", ".", "\\", ";", "%", "?", "#", "\0", "\t", " "]
const escaped = fc.constantFrom(...letters).map(letter => `%${letter.charCodeAt(0).toString(16).padStart(2, "0")}`)
const parts = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("admin", "pub", "in", "x", "users", "index.html", "..", ".", "") },
  { weight: 4, arbitrary: fc.constantFrom("%2e%2e", ".%2E", "%2e", "..;", "..;x=1", "admin;v=1", ";", "%61dmin", "adm%69n", "%41dmin", "ADMIN") },
  {
    weight: 3,
    arbitrary: fc.constantFrom("%252e%252e", "%25%32%65", "%c0%ae%c0%ae", "%c0%af", "%e0%80%ae", "%u002e", "..%00", "admin%00", "...", "%2f", "%5c"),
  },
  { weight: 2, arbitrary: fc.constantFrom("admin?", "?admin", "..?", "?/../admin", "%3f", "%23", "%", "%2", "admin.", "admin%20", "{admin}", "~") },
  { weight: 1, arbitrary: escaped },
)
const joints = fc.constantFrom("/", "/", "/", "/", "//", "", "%2f", "%2F", "%5c", "\\", "/./", "/;/", "///")
const targets = fc
  .array(fc.tuple(joints, parts), { minLength: 1, maxLength: 6 })
  .map(pieces => `/${pieces.map(([joint, part], i) => (i === 0 ? part : joint + part)).join("")}`)
// Behind a prefix that routes ask for, so that more of them get in.
const below = fc.oneof(
  targets,
  targets.map(target => `/pub${target}`),
)

/** Every answer is a refusal of ours or of this kind, and some of either came. */
async function holds(listener: Listener, arbitrary: fc.Arbitrary<string>, allowed: readonly string[]): Promise<void> {
  let passed = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(arbitrary, async target => {
      const { status, body } = await get(listener, target)
      if (status === 200) passed++
      else refused++
      if (status === 200) expect({ target, body }).toEqual({ target, body: allowed.includes(body) ? body : `one of ${allowed.join()}` })
      else expect({ target, status }).toEqual({ target, status: [308, 400, 403, 404].includes(status) ? status : 400 })
    }),
    { numRuns: RUNS, ...(scaled(true, false) && { seed: 4711 }) },
  )
  figure(`${listener}: passed, refused`, `${passed}, ${refused}`)
  expect([passed > RUNS / 50, refused > RUNS / 50]).toEqual([true, true])
}

describe("what nginx makes of what we send", () => {
  test("is never what a rule denies", () => holds("deny", below, ["pub", "other"]), 60_000)
  test("is always below what a rule allows; parameters are left out, which nginx takes for part of a name", async () => {
    const plain = below.filter(target => !/;|%3b/i.test(target.split("?")[0]!))
    await holds("allow", plain, ["pub"])
  }, 60_000)
  test("is not what a rule denies where encoded slashes are data for us and slashes for nginx, unless they are what tells", async () => {
    const plain = below.filter(target => !/%(2f|5c)/i.test(target))
    await holds("open", plain, ["pub", "other"])
  }, 60_000)
  test("is not what a rule denies behind a prefix that is stripped", () => holds("strip", below, ["pub", "other"]), 60_000)
  test("is not what a rule denies behind a pattern", () => holds("pattern", below, ["pub", "other"]), 60_000)
  test("is below the prefix that was put in front", () => holds("path", below, ["pub"]), 60_000)
})

test("no file below what a rule denies, in no spelling", () => holds("files", below, ["pub"]), 60_000)
