import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
const types: Record<string, string> = {
  "/film": "Content-Type: video/mp4\r\nContent-Length: 5\r\n\r\nfilm!",
  "/large": `Content-Type: a/b\r\nContent-Length: 3000\r\n\r\n${"x".repeat(3000)}`,
  "/stream": `Content-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n${"y".repeat(1000)}\r\n7d0\r\n${"z".repeat(2000)}\r\n0\r\n\r\n`,
  "/text": "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\ntext\n",
}
/** Answers by path, on connections that stay; what is no request is echoed. */
const origin = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.through("\n")
    if (!head.startsWith("GET ")) {
      connection.send(`back ${head}`)
      continue
    }
    await connection.through("\r\n\r\n")
    connection.send(`HTTP/1.1 200 OK\r\n${types[head.split(" ")[1]!]}`)
  }
})
const page = join(temporaryFolder("policy"), "page.html")
writeFileSync(page, "<h1>one ${rule} ${host}</h1>")
const proxy = await startBothways({
  listeners: { egress: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", connectPorts: ["1-65535"], ports: ["1-65535"] } } },
  filters: [
    {
      policy: {
        page: { contact: "it@school.example" },
        rules: [
          { name: "ads", match: { host: "*.ads.test" }, action: "block" },
          { name: "own-page", match: { host: "own.test" }, action: "block", page: { file: page, status: 451 } },
          { name: "trial", match: { path: "/text" }, action: "block", mode: "log-only" },
          { name: "films", response: { type: "video/*" }, action: "block" },
          { name: "large", response: { bytesMin: 2000 }, action: "block" },
        ],
      },
    },
  ],
  routes: [{ match: {}, to: { origin: {} } }],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

const via = ["-s", "-S", "-m", "5", "-x", `http://127.0.0.1:${port}`]
const logged = (rule: string) => until(() => proxy.log().find(line => line["rule"] === rule))

describe("policy", () => {
  test("O-49: a refused CONNECT is answered whole, and the connection carries another request", async () => {
    using client = await rawClient(port)
    client.send("CONNECT x.ads.test:443 HTTP/1.1\r\nHost: x.ads.test:443\r\n\r\n")
    const { status, fields, body } = await client.response("CONNECT")
    expect([status, Number(fields["content-length"])]).toEqual([403, body.length])
    expect(body).toContain("Contact: it@school.example")
    client.send(`CONNECT ${origin.address} HTTP/1.1\r\nHost: ${origin.address}\r\n\r\n`)
    expect((await client.response("CONNECT")).status).toBe(200)
    client.send("bytes\n")
    expect(await client.through("\n")).toBe("back bytes\n")
  })

  test("curl says which rule it was, and the log has the reference of the page", async () => {
    const tunnel = await run("curl", ...via, "-v", "https://x.ads.test/")
    expect(tunnel.stderr).toContain("403 Blocked by policy: ads")
    const plain = await run("curl", ...via, "-H", "Accept: application/json", "http://y.ads.test/a?secret")
    const { rule, reference } = JSON.parse(plain.stdout) as { rule: string; reference: string }
    expect([rule, plain.stdout.includes("secret")]).toEqual(["ads", false])
    await until(() => proxy.log().find(line => line["reference"] === reference && line["action"] === "block"))
  })

  test("a page of one's own is read again when it changes", async () => {
    const ask = () => run("curl", ...via, "-i", "-H", "Accept: text/html", "http://own.test/")
    const first = await ask()
    expect([first.stdout.split("\r\n")[0], first.stdout.includes("<h1>one own-page own.test</h1>")]).toEqual([
      "HTTP/1.1 451 Blocked by policy: own-page",
      true,
    ])
    writeFileSync(page, "<h1>two</h1>")
    await until(async () => (await ask()).stdout.includes("<h1>two</h1>"))
  })

  test("answers are judged by their heads: refused ones never come, their connection is not used again, and others pass", async () => {
    const film = await run("curl", ...via, "-i", `http://${origin.address}/film`)
    expect([film.stdout.split("\r\n")[0], film.stdout.includes("film!")]).toEqual(["HTTP/1.1 403 Blocked by policy: films", false])
    const both = await run(
      "curl",
      ...via,
      "-w",
      "%{http_code} ",
      `http://${origin.address}/large`,
      "-o",
      "/dev/null",
      "--next",
      ...via,
      `http://${origin.address}/text`,
    )
    expect(both.stdout).toBe("403 text\n")
    expect(await logged("films")).toMatchObject({ status: 403, fault: "proxy.blocked", action: "block" })
    const trial = await until(() => proxy.log().find(line => line["would"] !== undefined))
    expect([trial["would"], trial["status"], trial["rule"]]).toEqual(["trial:block", 200, undefined])
  })

  test("an answer without a length is cut off where the rule says", async () => {
    const cut = await run("curl", ...via, `http://${origin.address}/stream`)
    expect([cut.code, cut.stdout.includes("z")]).toEqual([56, false])
    await until(() => proxy.log().find(line => line["target"] === "/stream" && line["rule"] === "large"))
  })

  test("rules are counted", async () => {
    const metrics = await scrape(proxy)
    const total = (name: string): number => metrics.get(`bothways_policy_${name}_total`) ?? -1
    expect([total("rule_filters_0_films"), total("rule_filters_0_ads"), total("rule_filters_0_large"), total("would_block_filters_0")]).toEqual([
      1, 3, 2, 1,
    ])
    expect(total("blocked_filters_0")).toBeGreaterThanOrEqual(8)
  })
})
