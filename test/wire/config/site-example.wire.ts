import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import { parse } from "yaml"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const folder = temporaryFolder("site-example")
const examples = join(import.meta.dirname, "../../../examples")
cpSync(join(examples, "site"), join(folder, "site"), { recursive: true })
const app = await scriptedServer(async connection => {
  for (;;) {
    const { start } = await connection.request()
    const target = start.split(" ")[1]!
    connection.send(`HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\nContent-Length: ${target.length}\r\n\r\n${target}`)
  }
})
const [port, admin] = (await freePorts(2)) as [number, number]
const text = readFileSync(join(examples, "site.yaml"), "utf8")
  .replaceAll("127.0.0.1:8080", `127.0.0.1:${port}`)
  .replaceAll("127.0.0.1:9900", `127.0.0.1:${admin}`)
  .replaceAll("127.0.0.1:9001", app.address)
  .replaceAll("./site", join(folder, "site"))
const proxy = await startBothways(parse(text) as object)
afterAll(async () => {
  await proxy.stop()
  await app.close()
})

const get = (path: string, headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: "manual" })

test("the site of the example does what it says", async () => {
  const api = await get("/api/users?x=1")
  expect([await api.text(), api.headers.get("set-cookie")]).toEqual(["/users?x=1", "s=1; HttpOnly; SameSite=Lax"])
  expect((await get("/old/a?b")).headers.get("location")).toBe("/new/a?b")
  const page = await get("/some/place", { Accept: "text/html" })
  expect([page.status, (await page.text()).includes("It works.")]).toEqual([200, true])
  expect(page.headers.get("x-content-type-options")).toBe("nosniff")
  expect((await get("/assets/index.html")).headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
  const missing = await get("/assets/none.css", { Accept: "application/json" })
  expect([missing.status, await missing.text()]).toEqual([404, '{"error":"not here"}'])
})

test("a file closes the API and nothing else", async () => {
  writeFileSync(join(folder, "site/closed"), "")
  await until(async () => (await get("/api/x")).status === 503)
  expect(await (await get("/api/x")).text()).toBe("<h1>503 Service Unavailable</h1>")
  expect((await get("/")).status).toBe(200)
  rmSync(join(folder, "site/closed"))
  await until(async () => (await get("/api/x")).status === 200)
})
