import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { get } from "node:http"
import { parseConfig } from "../../config/index.ts"
import { demoConfig, demoLines, demoPorts } from "./demo-config.ts"
import { type DemoOrigin, startDemoOrigins } from "./demo-origins.ts"

let origins: DemoOrigin[] = []
beforeAll(async () => {
  origins = await startDemoOrigins(["alpha", "beta", "gamma"])
})
afterAll(() => {
  for (const origin of origins) origin.close()
})

function ask(path: string, accept = "*/*"): Promise<{ type: string; body: string }> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port: origins[1]!.port, path, headers: { Accept: accept, "X-Mark": "<b>" } }, response => {
      let body = ""
      response.on("data", part => {
        body += part
      })
      response.on("end", () => resolve({ type: response.headers["content-type"] ?? "", body }))
    }).on("error", reject)
  })
}

describe("origins of the demo", () => {
  test("text, JSON and HTML say who answers and what arrived", async () => {
    expect((await ask("/a?b=1")).body).toMatch(/origin beta[\s\S]*GET \/a\?b=1 HTTP\/1\.1[\s\S]*X-Mark: <b>/)
    const json = JSON.parse((await ask("/a", "application/json")).body)
    expect(json).toMatchObject({ origin: "beta", method: "GET", target: "/a" })
    expect(json.fields).toContain("X-Mark: <b>")
    const html = await ask("/<script>", "text/html,*/*")
    expect(html.type).toContain("text/html")
    expect(html.body).toContain("&#60;b&#62;")
    expect(html.body).not.toContain("<script>")
    expect((await ask("/healthz")).body).toBe("ok\n")
  })
})

describe("config of the demo", () => {
  test("it loads without an error or a warning", async () => {
    const loaded = await parseConfig(JSON.stringify(demoConfig(origins, demoPorts)))
    expect(loaded).toMatchObject({ ok: true, warnings: [] })
  })

  test("its forward side opens the origins' address and ports and nothing else", async () => {
    const loaded = await parseConfig(JSON.stringify(demoConfig(origins, demoPorts)))
    if (!loaded.ok) throw new Error("does not load")
    const { forward } = loaded.config.listeners["forward"]!
    expect(forward).toMatchObject({ privateRanges: ["127.0.0.1/32"], connectPorts: [] })
    expect(forward!.ports.map(String)).toEqual(origins.map(({ port }) => String(port)))
  })

  test("three lines to paste, also where the environment names a proxy", () => {
    const port = origins[0]!.port
    expect(demoLines(origins, demoPorts, {})).toEqual([
      "curl http://127.0.0.1:8080/",
      `curl -x http://127.0.0.1:3128 http://127.0.0.1:${port}/`,
      "curl http://127.0.0.1:9900/status",
    ])
    expect(demoLines(origins, demoPorts, { HTTPS_PROXY: "x", http_proxy: "http://p:1", NO_PROXY: "localhost,127.0.0.1" })).toEqual([
      "curl --noproxy '*' http://127.0.0.1:8080/",
      `curl --noproxy '' -x http://127.0.0.1:3128 http://127.0.0.1:${port}/`,
      "curl --noproxy '*' http://127.0.0.1:9900/status",
    ])
  })
})
