import { afterAll, describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runBothways, startBothways } from "../../support/bothways.ts"
import { long } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
/** Sends without an end as soon as it hears something. */
const origin = await scriptedServer(async connection => {
  let line = await connection.through("\n")
  while (line.startsWith("GET ")) {
    await connection.through("\r\n\r\n")
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n${"x".repeat(70_000)}`)
    line = await connection.through("\n")
  }
  for (let i = 0; i < 200; i++) {
    connection.send("t".repeat(2000))
    await Bun.sleep(20)
  }
})
const folder = temporaryFolder("quota")
const users = join(folder, "users")
const sha = (password: string): string => `{SHA}${new Bun.CryptoHasher("sha1").update(password).digest("base64")}`
writeFileSync(users, `ann:${sha("a")}\nbob:${sha("b")}\n`)
const file = join(folder, "quotas.json")
const config = {
  workers: 2,
  listeners: {
    egress: {
      bind: `127.0.0.1:${port}`,
      forward: { privateRanges: "allow", connectPorts: ["1-65535"], ports: ["1-65535"], auth: { htpasswd: users } },
    },
  },
  routes: [{ match: {}, filters: [{ quota: { name: "daily", bytes: "100KB", requests: 50, timeZone: "UTC", persist: file } }], to: { origin: {} } }],
}
let proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

const get = (user: string) =>
  run(
    "curl",
    "-s",
    "-m",
    "5",
    "-x",
    `http://127.0.0.1:${port}`,
    "-U",
    user,
    "-w",
    "%{http_code}",
    "-o",
    join(folder, "body"),
    `http://${origin.address}/`,
  )
const listed = async (key: string) => ((await (await proxy.ask(`/quotas?key=${key}`)).json()) as { quotas: object[] }).quotas
const quotas = (...args: string[]) => runBothways(["quotas", ...args, "--admin", proxy.admin.replace("http://", "")])

describe("quota", () => {
  test("a tunnel that is over its quota is cut while it runs, and the next request gets the page", async () => {
    using client = await rawClient(port)
    const login = `Proxy-Authorization: Basic ${Buffer.from("ann:a").toString("base64")}\r\n`
    client.send(`CONNECT ${origin.address} HTTP/1.1\r\nHost: ${origin.address}\r\n${login}\r\n`)
    expect((await client.response("CONNECT")).status).toBe(200)
    client.send("go\n")
    const got = (await client.toEnd()).length
    // 100 KB a second: what went is the quota and what half a second and a tick give.
    expect(got).toBeGreaterThan(100_000)
    expect(got).toBeLessThan(250_000)
    const line = await until(() => proxy.log().find(one => one["method"] === "CONNECT"))
    expect(line).toMatchObject({ user: "ann", fault: "proxy.quota-used", rule: "daily", action: "quota" })
    expect((await get("ann:a")).stdout).toBe("403")
    expect(readFileSync(join(folder, "body"), "utf8")).toContain("0 of 100KB")
    expect((await get("bob:b")).stdout).toBe("200")
  })

  test("the command line shows what was used, and lets one begin anew", async () => {
    const { stdout } = await quotas("list")
    expect(stdout).toMatch(/ann +daily .*\n.*bob +daily/s)
    expect(await listed("bob")).toMatchObject([{ key: "bob", bytes: 70_000, requests: 1 }])
    const reset = (key: string) => proxy.ask(`/quotas/reset?key=${key}`, { method: "POST", headers: { "content-type": "application/json" } })
    expect([(await reset("ann")).status, (await reset("nobody")).status]).toEqual([200, 404])
    expect((await get("ann:a")).stdout).toBe("200")
  })

  const whenLong = long ? test : null
  whenLong?.("what was used is there after a restart", async () => {
    await proxy.stop()
    proxy = await startBothways(config)
    expect(await listed("bob")).toMatchObject([{ key: "bob", bytes: 70_000, requests: 1 }])
    expect([(await get("bob:b")).stdout, (await get("bob:b")).stdout]).toEqual(["200", "403"])
  })
})
