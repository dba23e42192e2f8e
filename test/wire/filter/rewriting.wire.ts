import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { until } from "../../support/wait.ts"

const folder = temporaryFolder("rewriting")
const flag = join(folder, "closed")
writeFileSync(join(folder, "down.html"), "<h1>${status}</h1>${host}")
const origin = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const url = new URL(request.url)
    if (url.pathname === "/go") return new Response(null, { status: 302, headers: { Location: "/landed", "Set-Cookie": "s=1; Path=/inner" } })
    if (url.pathname === "/broken") return new Response("trace of the server", { status: 500, headers: { "Retry-After": "9", "X-Trace": "secret" } })
    return Response.json({
      target: url.pathname + url.search,
      prefix: request.headers.get("x-forwarded-prefix"),
      cookie: request.headers.get("cookie"),
    })
  },
})
const [port, dead] = (await freePorts(2)) as [number, number]
const proxy = await startBothways({
  workers: 2,
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { app: { peers: [`127.0.0.1:${origin.port}`] }, gone: { peers: [`127.0.0.1:${dead}`] } },
  caches: { main: { memory: "8MB" } },
  routes: [
    {
      match: { path: "/api/*" },
      filters: [
        { rewrite: { strip: "/api", query: { remove: ["debug"] } } },
        { cookies: { request: { set: { tenant: "$host" } }, response: { httpOnly: true, sameSite: "Lax", path: { "/inner": "/api" } } } },
        { "error-pages": { pages: { "5xx": { file: join(folder, "down.html") } }, from: "both" } },
        { cache: { store: "main" } },
      ],
      to: { cluster: "app" },
    },
    { match: { path: "/gone" }, filters: [{ "error-pages": { pages: { "502": { body: '{"status":${status}}' } } } }], to: { cluster: "gone" } },
    { match: { path: "/closed" }, filters: [{ maintenance: { flag, retryAfter: "1m", page: join(folder, "down.html") } }], to: { cluster: "app" } },
    { match: { path: "/old/*" }, to: { redirect: { pattern: "^/old/(.*)$", to: "/new/$1$query", status: 301 } } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin.stop(true)
})

const get = (path: string, headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: "manual" })

describe("on the way up", () => {
  test("prefix, parameters and cookies", async () => {
    expect(await (await get("/api/users?debug=1&a=%2f", { Cookie: "x=1" })).json()).toEqual({
      target: "/users?a=%2f",
      prefix: "/api",
      cookie: "x=1; tenant=127.0.0.1",
    })
  })
})

describe("on the way back", () => {
  test("Location has the prefix again, cookies their attributes", async () => {
    const answer = await get("/api/go")
    expect(answer.headers.get("location")).toBe("/api/landed")
    expect(answer.headers.get("set-cookie")).toBe("s=1; Path=/api; HttpOnly; SameSite=Lax")
  })

  test("a server's error gets the page, and keeps what else to do", async () => {
    const answer = await get("/api/broken")
    expect([answer.status, answer.headers.get("retry-after"), answer.headers.get("x-trace")]).toEqual([500, "9", null])
    expect(await answer.text()).toBe("<h1>500</h1>127.0.0.1")
  })

  test("the proxy's own error, too", async () => {
    const answer = await get("/gone")
    expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([502, "application/json", '{"status":502}'])
  })
})

test("maintenance by touch and rm", async () => {
  expect((await get("/closed")).status).toBe(200)
  writeFileSync(flag, "")
  await until(async () => (await get("/closed")).status === 503)
  const closed = await get("/closed")
  expect([closed.headers.get("retry-after"), await closed.text()]).toEqual(["60", "<h1>503</h1>127.0.0.1"])
  rmSync(flag)
  await until(async () => (await get("/closed")).status === 200)
})

test("a redirection by pattern", async () => {
  const answer = await get("/old/a/b%20c?q=1")
  expect([answer.status, answer.headers.get("location")]).toEqual([301, "/new/a/b%20c?q=1"])
  expect((await get("/old//evil.test/x")).headers.get("location")).toBe("/new/evil.test/x")
})
