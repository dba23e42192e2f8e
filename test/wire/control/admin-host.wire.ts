import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { ResponseMessage } from "../../support/message.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

const [port, guarded, web, otherWeb] = (await freePorts(4)) as [number, number, number, number]
const config = (admin: object, bind: number): object => ({
  admin,
  listeners: { web: { bind: `127.0.0.1:${bind}` } },
  routes: [{ match: {}, to: { respond: { body: "ok" } } }],
})
const proxy = await startBothways(config({ bind: `127.0.0.1:${port}`, hosts: ["ops.example"] }, web))
const withToken = await startBothways(config({ bind: `127.0.0.1:${guarded}`, token: "a-long-token" }, otherWeb))
afterAll(async () => {
  await proxy.stop()
  await withToken.stop()
})

async function ask(lines: readonly string[], at = port, method = "GET"): Promise<ResponseMessage> {
  using client = await rawClient(at)
  client.send(`${lines.join("\r\n")}\r\n\r\n`)
  const answer = await client.response(method)
  expect(answer.head.toLowerCase()).not.toContain("access-control-allow")
  return answer
}

const get = (...fields: string[]): Promise<ResponseMessage> => ask(["GET /status HTTP/1.1", ...fields])
const post = (...fields: string[]): Promise<ResponseMessage> => ask(["POST /reload HTTP/1.1", ...fields])
const local = `Host: 127.0.0.1:${port}`

describe("O-50: DNS rebinding against the admin listener", () => {
  const hosts: Record<string, number> = {
    [`rebind.evil.test:${port}`]: 421,
    "127.0.0.1.nip.test": 421,
    "localhost.evil.test": 421,
    "evil.localhost.test": 421,
    "0.0.0.0": 421,
    [`0.0.0.0:${port}`]: 421,
    "2130706433": 421,
    "127.1": 421,
    "10.0.0.1": 421,
    localhost: 200,
    [`LOCALHOST:${port}`]: 200,
    "localhost.": 400, // a valid name, but nobody writes it
    [`[::1]:${port}`]: 200,
    "127.0.0.1": 200,
    "ops.example": 200,
    [`OPS.Example:${port}`]: 200,
    "ops.example.evil.test": 421,
    "": 400,
    "a b": 400,
    "127.0.0.1@evil.test": 400,
    "127.0.0.1, evil.test": 400,
  }
  for (const [host, status] of Object.entries(hosts))
    test(`Host: ${host || "(empty)"}`, async () => expect((await get(`Host: ${host}`)).status).toBe(status))

  test("two Hosts, and none", async () => {
    expect((await get(local, "Host: evil.test")).status).toBe(400)
    expect((await get()).status).toBe(400)
  })
  test("absolute-form with another name, and with the right one", async () => {
    expect((await ask(["GET http://evil.test/status HTTP/1.1", local])).status).toBe(421)
    expect((await ask([`GET http://127.0.0.1:${port}/status HTTP/1.1`, "Host: evil.test"])).status).toBe(421)
    expect((await ask([`GET http://127.0.0.1:${port}/status HTTP/1.1`, local])).status).toBe(200)
  })
  test("a foreign Origin is refused, also for reading; our own is not", async () => {
    for (const origin of [
      "http://evil.test",
      "null",
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${port + 1}`,
      `http://127.0.0.1:${port}.evil.test`,
    ]) {
      expect([origin, (await get(local, `Origin: ${origin}`)).status]).toEqual([origin, 403])
    }
    expect((await get(local, `Origin: http://127.0.0.1:${port}`)).status).toBe(200)
    expect((await get(local, "Sec-Fetch-Site: cross-site")).status).toBe(403)
    expect((await get(local, "Sec-Fetch-Site: same-site")).status).toBe(403)
  })
  test("what a form can send changes nothing", async () => {
    const before = ((await (await proxy.ask("/status")).json()) as { config: { lastReload: { at: string } } }).config.lastReload.at
    for (const type of [
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "text/plain",
      "text/plain;charset=application/json",
      "",
    ]) {
      expect([type, (await post(local, `Content-Type: ${type}`, "Content-Length: 0")).status]).toEqual([type, 415])
    }
    expect((await post(local, "Content-Length: 0")).status).toBe(415)
    expect((await post("Host: rebind.evil.test", "Content-Type: application/json", "Content-Length: 0")).status).toBe(421)
    expect((await post(local, "Origin: http://evil.test", "Content-Type: application/json", "Content-Length: 0")).status).toBe(403)
    expect(((await (await proxy.ask("/status")).json()) as { config: { lastReload: { at: string } } }).config.lastReload.at).toBe(before)
    expect((await post(local, "X-Bothways: 1", "Content-Length: 0")).status).toBe(200)
  })
  test("a preflight grants nothing", async () => {
    const preflight = [
      "OPTIONS /reload HTTP/1.1",
      local,
      "Origin: http://evil.test",
      "Access-Control-Request-Method: POST",
      "Access-Control-Request-Headers: x-bothways",
    ]
    expect((await ask(preflight)).status).toBe(403)
  })
  test("no WebSocket, whatever its origin", async () => {
    const upgrade = [
      "GET /status HTTP/1.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    expect((await ask([...upgrade, local, "Origin: http://evil.test"])).status).toBe(403)
    expect((await ask([...upgrade, "Host: rebind.evil.test"])).status).toBe(421)
    expect((await ask([...upgrade, local])).status).toBe(400)
  })
  test("with a token it is asked for, on loopback, too; health is for everybody", async () => {
    const host = `Host: 127.0.0.1:${guarded}`
    expect((await ask(["GET /status HTTP/1.1", host], guarded)).status).toBe(401)
    expect((await ask(["GET /metrics HTTP/1.1", host, "Authorization: Bearer a-long-toker"], guarded)).status).toBe(401)
    expect((await ask(["GET /status HTTP/1.1", host, "Authorization: Bearer a-long-token"], guarded)).status).toBe(200)
    expect((await ask(["GET /healthz HTTP/1.1", host], guarded)).status).toBe(200)
    expect((await ask(["GET /healthz HTTP/1.1", "Host: evil.test"], guarded)).status).toBe(421)
    const config = await ask(["GET /config HTTP/1.1", host, "Authorization: Bearer a-long-token"], guarded)
    expect(config.body).not.toContain("a-long-token")
  })
  test("refusals are told in the log", async () => {
    await until(() => proxy.program.stderr.includes("admin request refused"))
    expect(withToken.program.stderr).not.toContain("a-long-toke")
  })
  test("and nothing of this is on the data listeners", async () => {
    const { status, body } = await ask(["GET /status HTTP/1.1", "Host: evil.test"], web)
    expect([status, body]).toEqual([200, "ok"])
  })
})
