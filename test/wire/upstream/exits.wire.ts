import { afterAll, expect, test } from "bun:test"
import { createServer, type AddressInfo } from "node:net"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { until } from "../../support/wait.ts"
import { join } from "node:path"

// Exits: which one a request leaves by, where connections come from, and that none is another's.
const origin = createServer(socket => {
  const from = socket.remoteAddress
  let text = ""
  socket.on("error", () => {})
  socket.on("data", data => {
    text += data.toString("latin1")
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      const body = `${from} ${socket.remotePort} ${/x-exit/i.test(text.slice(0, end))}`
      text = text.slice(end + 4)
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }
  })
})
const originAt = await new Promise<number>(resolve => origin.listen(0, "0.0.0.0", () => resolve((origin.address() as AddressInfo).port)))
const parent = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nde")
const dead = await freePorts(1)
const carp = await Promise.all([recorder(), recorder(), recorder()])
const names = ["chosen", "turns", "client", "time", "six", "hashed", "ann", "past"] as const
const ports = await freePorts(names.length)
const at = Object.fromEntries(names.map((name, i) => [name, ports[i]!])) as Record<(typeof names)[number], number>
const users = join(temporaryFolder("exits"), "users")
for (const [words, user] of [
  ["-bcB", "ann"],
  ["-bB", "eve"],
] as const)
  expect((await run("htpasswd", words, "-C", "4", users, user, "pass")).code).toBe(0)

const forward = { privateRanges: "allow", ports: ["1-65535"], connectPorts: ["1-65535"] }
const everybody = ["127.0.0.21", "127.0.0.22", "127.0.0.23"]
const proxy = await startBothways({
  listeners: Object.fromEntries(
    names.map(name => [name, { bind: `127.0.0.1:${at[name]}`, forward: name === "ann" ? { ...forward, auth: { htpasswd: users } } : forward }]),
  ),
  clusters: {
    parents: { peers: [parent.address], parent: "http" },
    dead: { peers: [`127.0.0.1:${dead[0]}`], parent: "socks5", health: { passive: "off" } },
    carp: { peers: carp.map(one => one.address), balance: { "consistent-hash": { key: "url", load: "off" } } },
  },
  exits: {
    de: { via: "parents" },
    gone: { via: "dead" },
    home: { source: "127.0.0.2" },
    turns: { sources: everybody },
    client: { sources: everybody, rotate: "client" },
    time: { sources: everybody, rotate: "time", every: "1h" },
    six: { source: "::1" },
  },
  routes: [
    { match: { listener: "past" }, to: { origin: { via: "dead", orDirect: true } } },
    { match: { listener: "hashed" }, to: { origin: { via: "carp" } } },
    { match: { listener: "ann" }, to: { origin: { exit: { user: { ann: "turns" }, default: "home" } } } },
    { match: { listener: "chosen" }, to: { origin: { exit: { header: "X-Exit", default: "home" } } } },
    ...["turns", "client", "time", "six"].map(listener => ({ match: { listener }, to: { origin: { exit: listener } } })),
  ],
})
afterAll(async () => {
  await Promise.all([proxy.stop(), parent[Symbol.asyncDispose](), ...carp.map(one => one[Symbol.asyncDispose]())])
  origin.close()
})

interface Asked {
  readonly from?: string
  readonly fields?: string
}

/** Where each of the requests came from, `address port`. */
async function ask(port: number, count: number, { from, fields = "" }: Asked = {}): Promise<{ status: number; body: string }[]> {
  using client = await rawClient(port, from === undefined ? {} : { from })
  const out: { status: number; body: string }[] = []
  for (let i = 0; i < count; i++) {
    client.send(`GET http://127.0.0.1:${originAt}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n`)
    const { status, body } = await client.response()
    out.push({ status, body })
  }
  return out
}
const sources = (answers: { body: string }[]): string[] => answers.map(({ body }) => body.split(" ")[0]!)

test("a header names the exit, goes no further, and a label that is none is told", async () => {
  expect(await ask(at.chosen, 1)).toEqual([{ status: 200, body: expect.stringMatching(/^127\.0\.0\.2 \d+ false$/) }])
  expect(await ask(at.chosen, 1, { fields: "X-Exit: turns\r\n" })).toEqual([
    { status: 200, body: expect.stringMatching(/^127\.0\.0\.2[123] \d+ false$/) },
  ])
  expect(await ask(at.chosen, 1, { fields: "X-Exit: de\r\n" })).toEqual([{ status: 200, body: "de" }])
  expect(parent.requests.at(-1)!.head).not.toMatch(/x-exit/i)
  expect(await ask(at.chosen, 1, { fields: "X-Exit: constructor\r\n" })).toEqual([
    { status: 400, body: expect.stringContaining("client.exit-unknown") },
  ])
  await until(() => proxy.log().filter(line => ["home", "turns", "de"].includes(String(line.exit))).length === 3)
})

test("CONNECT takes the same way", async () => {
  using client = await rawClient(at.chosen)
  client.send(`CONNECT 127.0.0.1:${originAt} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Exit: turns\r\n\r\n`)
  expect((await client.response("CONNECT")).status).toBe(200)
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  expect((await client.response()).body).toMatch(/^127\.0\.0\.2[123] /)
})

test("an exit that is down is an error, and nobody goes another way (O-51 e)", async () => {
  expect((await ask(at.chosen, 1, { fields: "X-Exit: gone\r\n" }))[0]!.status).toBe(502)
})

test("past parents that are down, where the route says so", async () => {
  expect(sources(await ask(at.past, 2))).toEqual(["127.0.0.1", "127.0.0.1"])
  using client = await rawClient(at.past)
  client.send(`CONNECT 127.0.0.1:${originAt} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  expect((await client.response("CONNECT")).status).toBe(200)
  await until(() => proxy.log().filter(line => line.exit === "(direct)").length >= 2)
})

test("sources are taken in turn, each with connections of its own", async () => {
  const answers = await ask(at.turns, 6)
  expect([...new Set(sources(answers))].sort()).toEqual(everybody)
  expect(new Set(answers.map(({ body }) => body)).size).toBe(3)
})

test("a client keeps its source; another one has another", async () => {
  const seen = new Set<string>()
  for (const from of ["127.0.0.1", "127.0.0.31", "127.0.0.32", "127.0.0.33", "127.0.0.34", "127.0.0.35"]) {
    const own = new Set(sources(await ask(at.client, 3, { from })))
    expect(own.size).toBe(1)
    seen.add([...own][0]!)
  }
  expect(seen.size).toBeGreaterThan(1)
})

test("by time, one source for all", async () => {
  expect(new Set([...sources(await ask(at.time, 3)), ...sources(await ask(at.time, 3, { from: "127.0.0.31" }))]).size).toBe(1)
})

test("an exit without an address of the origin's kind leads nowhere", async () => {
  expect(await ask(at.six, 1)).toEqual([{ status: 502, body: expect.stringContaining("proxy.exit-family") }])
})

test("a user's exit", async () => {
  const as = (user: string) => ({ fields: `Proxy-Authorization: Basic ${Buffer.from(`${user}:pass`).toString("base64")}\r\n` })
  expect(sources(await ask(at.ann, 1, as("ann")))[0]).toMatch(/^127\.0\.0\.2[123]$/)
  expect(sources(await ask(at.ann, 1, as("eve")))).toEqual(["127.0.0.2"])
})

test("hashed by URL, each URL has its parent, and all have some (CARP)", async () => {
  using client = await rawClient(at.hashed)
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 24; i++) {
      client.send(`GET http://a.test/page?n=${i} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      await client.response()
    }
  const lists = carp.map(({ requests }) => requests.map(({ start }) => start))
  expect(lists.every(list => list.length > 0)).toBe(true)
  for (const list of lists) for (const start of new Set(list)) expect(list.filter(one => one === start).length).toBe(2)
})
