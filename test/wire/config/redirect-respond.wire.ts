import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"

const port = await freePort()
const redirect = (path: string, to: string, status = 308) => ({ match: { path }, to: { redirect: { to, status } } })
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  routes: [
    redirect("/secure/*", "https://$host$path$query"),
    redirect("/here/*", "$scheme://$authority/there$path", 302),
    redirect("/fixed", "https://other.test/x?$path$", 301),
    { match: { path: "/text" }, to: { respond: { status: 203, body: "äöü", headers: { "X-A": "1", "Cache-Control": "max-age=5" } } } },
    { match: { path: "/json" }, to: { respond: { body: "{}", headers: { "content-type": "application/json" } } } },
    { match: { path: "/empty" }, to: { respond: { status: 403 } } },
    redirect("/*", "$path$query", 307),
  ],
})
afterAll(() => proxy.stop())

async function ask(target: string, head = "Host: Shop.test:8080", method = "GET") {
  using client = await rawClient(port)
  client.send(`${method} ${target} HTTP/1.${head === "" ? 0 : 1}\r\n${head}${head === "" ? "" : "\r\n"}\r\n`)
  return await client.response(method)
}

const locationOf = async (target: string, head?: string): Promise<unknown[]> => {
  const { status, fields } = await ask(target, head)
  return [status, fields.location]
}

describe("redirect", () => {
  test("host is without its port, authority with it", async () => {
    expect(await locationOf("/secure/a%20b?c=d&e")).toEqual([308, "https://shop.test/secure/a%20b?c=d&e"])
    expect(await locationOf("/here/x")).toEqual([302, "http://Shop.test:8080/there/here/x"])
    expect(await locationOf("/secure/", "Host: [::1]:8080")).toEqual([308, "https://[::1]/secure/"])
    expect(await locationOf("http://other.test/secure/x")).toEqual([308, "https://other.test/secure/x"])
  })
  test("what is no variable stays as it is written", async () => {
    expect(await locationOf("/fixed")).toEqual([301, "https://other.test/x?/fixed$"])
  })
  test("a path cannot become another host", async () => {
    expect(await locationOf("//evil.test/x?y")).toEqual([307, "/evil.test/x?y"])
    expect(await locationOf("///evil.test")).toEqual([307, "/evil.test"])
    expect((await ask("/\\evil.test")).status).toBe(400)
    expect((await ask("/%0d%0aSet-Cookie:a=b")).status).toBe(400)
    expect(await locationOf("/secure/@evil.test/..%2f")).toEqual([400, undefined])
  })
  test("a client that names no host cannot be sent to it", async () => {
    expect(await locationOf("/secure/x", "")).toEqual([400, undefined])
    expect(await locationOf("/fixed", "")).toEqual([301, "https://other.test/x?/fixed$"])
  })
  test("any method; the body is not waited for", async () => {
    using client = await rawClient(port)
    client.send("POST /secure/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhelloGET /fixed HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect([(await client.response()).status, (await client.response()).status]).toEqual([308, 301])
  })
})

describe("respond", () => {
  test("status, body and fields", async () => {
    const { status, body, fields } = await ask("/text")
    expect([status, Buffer.from(body, "latin1").toString(), fields["x-a"], fields["cache-control"]]).toEqual([203, "äöü", "1", "max-age=5"])
    expect([fields["content-type"], fields["content-length"]]).toEqual(["text/plain; charset=utf-8", "6"])
    expect(new Date(fields.date!).getTime()).toBeGreaterThan(Date.now() - 3000)
  })
  test("a content type of its own", async () => {
    expect((await ask("/json")).fields["content-type"]).toBe("application/json")
  })
  test("nothing but a status", async () => {
    const { status, fields, body } = await ask("/empty")
    expect([status, fields["content-length"], fields["content-type"], body]).toEqual([403, "0", undefined, ""])
  })
})
