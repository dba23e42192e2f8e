import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { curl, namesHere, newWorld, startSite } from "./site.ts"

// A policy that refuses a tunnel tells so inside, and nothing ever reaches the site.
const { upstream, own, port } = await newWorld()
const good = startSite(upstream.issue(["app.test"]))
let reached = 0
const site = await scriptedServer(async connection => {
  reached++
  await connection.through("\n")
})
const proxy = await startBothways({
  resolver: { servers: [await namesHere("app.test", "games.test", "bank.test")] },
  listeners: {
    egress: {
      bind: `127.0.0.1:${port}`,
      forward: {
        privateRanges: "allow",
        connectPorts: ["1-65535"],
        inspect: {
          ca: { cert: own.ca.certFile, key: own.ca.keyFile },
          wait: "200ms",
          neverOpen: { names: ["bank.test"] },
          rules: [{ match: { host: "games.test" }, certificate: "untrusted", do: "tunnel" }],
          upstream: { ca: upstream.ca.certFile },
        },
      },
    },
  },
  filters: [
    { policy: { page: { contact: "it@school.example" }, rules: [{ name: "games", match: { host: ["games.test", "bank.test"] }, action: "block" }] } },
  ],
  routes: [{ match: { listener: "egress" }, to: { origin: {} } }],
})
afterAll(() => Promise.all([proxy.stop(), site.close()]))
const trust = ["--cacert", own.ca.certFile]

describe("a tunnel that a policy refuses", () => {
  test("is opened, and whatever is asked inside gets the page, over HTTP/2 and HTTP/1.1", async () => {
    const two = await curl(port, `https://games.test:${site.port}/play`, "-H", "Accept: text/html", ...trust)
    expect([two.status, two.version, two.body.includes("mailto:it@school.example")]).toEqual([403, "2", true])
    const one = await curl(port, `https://games.test:${site.port}/other`, "--http1.1", "-H", "Accept: application/json", ...trust)
    expect([one.status, JSON.parse(one.body).rule]).toEqual([403, "games"])
    const line = await until(() => proxy.log().find(entry => entry["method"] === "CONNECT"))
    expect(line).toMatchObject({ rule: "games", action: "block", tls: "inspect" })
    expect(reached).toBe(0)
  })

  test("is closed where it cannot be opened: sites that never are, and what is no TLS", async () => {
    const bank = await curl(port, `https://bank.test:${site.port}/`, ...trust)
    expect(bank.status).toBe(0)
    using client = await rawClient(port)
    client.send(`CONNECT games.test:${site.port} HTTP/1.1\r\nHost: games.test:${site.port}\r\n\r\n`)
    expect((await client.response("CONNECT")).status).toBe(200)
    client.send("EHLO me\r\n")
    expect(await client.toEnd()).toBe("")
    using silent = await rawClient(port)
    silent.send(`CONNECT games.test:${site.port} HTTP/1.1\r\nHost: games.test:${site.port}\r\n\r\n`)
    expect((await silent.response("CONNECT")).status).toBe(200)
    expect(await silent.toEnd()).toBe("")
    await until(() => proxy.log().filter(entry => entry["tlsReason"] === "blocked").length === 3)
    expect(reached).toBe(0)
  })

  test("others go through", async () => {
    expect((await curl(port, `https://app.test:${good.port}/one`, ...trust)).status).toBe(200)
  })
})
