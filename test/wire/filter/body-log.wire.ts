import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const web = await freePort()
const file = join(temporaryFolder("body-log"), "bodies.log")
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { body } = await connection.request(3_600_000)
    const answer = `{"accessToken":"hidden","echo":${body.length},"text":"${"x".repeat(6000)}"}`
    connection.send(
      `HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nSet-Cookie: sid=hidden; Path=/\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`,
    )
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${web}` } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { name: "quiet", match: { path: "/quiet" }, filters: [{ "body-log": { to: { file }, statusMin: 400 } }], to: { cluster: "a" } },
    {
      name: "missing",
      match: { path: "/missing" },
      filters: [{ "body-log": { to: { file }, statusMin: 400 } }],
      to: { respond: { status: 404, body: "no password=hidden" } },
    },
    { name: "api", match: {}, filters: [{ "body-log": { to: { file } } }, "compress"], to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

interface Line {
  readonly route: string
  readonly target: string
  readonly status: number
  readonly request: { readonly fields: Record<string, string>; readonly bytes: number; readonly body: string }
  readonly response: { readonly fields: Record<string, string>; readonly bytes: number; readonly body: string; readonly cut: boolean }
}

const lines = () =>
  (existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter(line => line !== "")
    : []
  ).map(line => JSON.parse(line) as Line)

test("one line with both bodies, without their secrets, however the network cuts them", async () => {
  using client = await rawClient(web)
  const body = '{"user":"ann","password":"hidden","card":"4111 1111 1111 1111","note":"hello"}'
  const head = `POST /login?token=hidden&page=2 HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer hidden\r\nCookie: sid=hidden\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`
  client.send(head)
  await client.sendSlowly(body, 3)
  const { status } = await client.response()
  expect(status).toBe(201)
  await until(() => lines().length === 1)
  const [line] = lines() as [Line]
  expect(readFileSync(file, "utf8")).not.toMatch(/hidden|4111/)
  expect(line).toMatchObject({ route: "api", target: "/login?token=***&page=2", status: 201 })
  expect(line.request).toMatchObject({ bytes: body.length, body: '{"user":"ann","password":"***","card":"***","note":"hello"}' })
  expect(line.request.fields).toMatchObject({ authorization: "Bearer ***", cookie: "sid=***" })
  expect(line.response).toMatchObject({ cut: true, fields: { "set-cookie": "sid=***; Path=/" } })
  expect(line.response.body).toStartWith(`{"accessToken":"***","echo":${body.length},"text":"xxx`)
  expect(line.response.bytes).toBeGreaterThan(6000)
  // What the peer got has its length still.
  expect(upstream.received).toContain(`Content-Length: ${body.length}\r\n`)
})

test("only what went wrong; local replies too", async () => {
  using client = await rawClient(web)
  for (const path of ["/quiet", "/missing"]) {
    client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    await client.response()
  }
  await until(() => lines().some(line => line.route === "missing"))
  expect(lines().map(line => line.route)).not.toContain("quiet")
  expect(lines().find(line => line.route === "missing")!.response.body).toBe("no password=***")
})
