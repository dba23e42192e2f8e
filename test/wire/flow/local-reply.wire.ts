import { afterAll, describe, expect, test } from "bun:test"
import { faults } from "../../../src/base/index.ts"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

const [port, dead] = [await freePort(), await freePort()]
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { dead: { peers: [`127.0.0.1:${dead}`] } },
  routes: [{ match: { path: "/dead" }, to: { cluster: "dead" } }],
})
afterAll(() => proxy.stop())

async function get(target: string, lines = "") {
  using client = await rawClient(port)
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`)
  return await client.response()
}

const json = "application/json"
const html = "text/html; charset=utf-8"
const text = "text/plain; charset=utf-8"

describe("a local reply comes in the form that Accept prefers (RFC 9110 section 12.5.1)", () => {
  const cases: [accept: string | null, type: string][] = [
    [null, text],
    ["*/*", text],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", html],
    ["application/json", json],
    ["application/json, text/plain, */*", json],
    ["application/problem+json", json],
    ["text/html;q=0.5, application/json;q=0.9", json],
    ["TEXT/HTML;level=1;Q=0.4, application/json;q=0.3", html],
    ["text/html;q=0, */*", text],
    ["image/png", text],
    ["text/*", text],
    [",,;q=x,text/html;q=9", html],
    [`${"a/b,".repeat(1000)}text/html`, text],
  ]
  for (const [accept, type] of cases) {
    test(String(accept).slice(0, 60), async () => {
      const { status, fields, body } = await get("/none", accept === null ? "" : `Accept: ${accept}\r\n`)
      expect([status, fields["content-type"], fields["cache-control"]]).toEqual([404, type, "no-store"])
      expect(body).toContain("proxy.no-route")
      expect(new Date(fields.date!).getTime()).toBeGreaterThan(Date.now() - 3000)
      if (type === json) expect(JSON.parse(body)).toMatchObject({ status: 404, error: "Not Found", fault: "proxy.no-route" })
      if (type === html) expect(body).toStartWith("<!doctype html>")
    })
  }
  test("several Accept fields are one", async () => {
    expect((await get("/none", "Accept: image/png\r\nAccept: application/json\r\n")).fields["content-type"]).toBe(json)
  })
})

test("it says nothing of peers, addresses, rules and what was asked for", async () => {
  for (const accept of [text, json, html]) {
    const { status, head, body } = await get("/dead?<script>secret", `Accept: ${accept}\r\nX-Secret: s3cret\r\n`)
    expect(status).toBe(502)
    expect(head + body).not.toMatch(/127\.0\.0\.1|s3cret|secret|script|route-1|bothways|cluster/i)
    expect(head + body).not.toContain(String(dead))
  }
})

test("the page says what its reader can do, what happened, and when", async () => {
  const page = async (target: string) => (await get(target, `Accept: ${html}\r\n`)).body
  expect(await page("/dead")).toMatch(
    /<p>The server behind this proxy .* Trying again .*<p>The peer refused the connection\..*upstream\.connect-refused.* GMT<\/p>/s,
  )
  expect(await page("/none")).toContain("<p>Nothing is served at this address.</p>")
  expect(await page("/%00")).toContain("<p>This proxy cannot take the request as it is.</p>")
})

test("what faults say needs no escaping", () => {
  for (const { description } of faults) expect(description).toMatch(/^[\x20-\x25\x27-\x3b\x3d\x3f-\x7e]+$/)
})

test("a fault that does not concern the connection keeps it, one that does closes it", async () => {
  using client = await rawClient(port)
  for (let i = 0; i < 3; i++) {
    client.send("GET /dead HTTP/1.1\r\nHost: a.test\r\n\r\n")
    const { status, fields } = await client.response()
    expect([status, fields.connection]).toEqual([502, undefined])
  }
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n")
  const { status, fields } = await client.response()
  expect([status, fields.connection]).toEqual([400, "close"])
  expect(await client.ended()).toBe("fin")
})

test("the log names the fault", async () => {
  await get("/logged")
  const line = await until(() => proxy.log().find(entry => entry.target === "/logged"))
  expect([line.status, line.fault]).toEqual([404, "proxy.no-route"])
})
