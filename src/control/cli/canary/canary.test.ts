import { expect, test } from "bun:test"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { CanaryStatus } from "../../canary/canary-status.ts"
import { runCli } from "../cache/run-cli.fixture.ts"

const status: CanaryStatus = {
  route: "shop",
  state: "running",
  arms: [
    { name: "stable", cluster: "stable", share: 0.9995, requests: 12_345, failures: 3, forced: 0, medianMs: 12.34, slowestPercentMs: 120 },
    { name: "v2", cluster: "canary", share: 0.0005, requests: 0, failures: 0, forced: 7, medianMs: 0, slowestPercentMs: 0 },
  ],
  canary: "v2",
  auto: true,
  next: 0.05,
  sinceMs: 61_000,
  everyMs: 300_000,
  verdict: "wait",
  why: "the canary has 0 requests of the 100 that a verdict needs",
  p: { errors: 1, latency: 1 },
  events: [{ at: "2026-11-26T11:00:00.000Z", what: "started at 0.05 %" }],
}

test("asks what it is told to ask, and says what came of it", async () => {
  const asked: string[] = []
  let answer: [number, object] = [200, { splits: [status] }]
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(answer[0], { "Content-Type": "application/json" }).end(JSON.stringify(answer[1]))
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const at = ["--admin", `127.0.0.1:${(server.address() as AddressInfo).port}`]
  const { stdout } = await runCli(["canary", "status", ...at])
  expect(stdout).toBe(
    [
      "route shop: running, for 1m 1s; next 5 % in 3m 59s at the earliest",
      "ARM           SHARE  REQUESTS  FAILED            MEDIAN    99 %  FORCED",
      "stable       99.9 %    12,345       3  0.024 %  12.3 ms  120 ms",
      "v2 (canary)  0.05 %         0       0                                 7",
      "undecided: the canary has 0 requests of the 100 that a verdict needs",
      "2026-11-26T11:00:00.000Z  started at 0.05 %",
      "",
    ].join("\n"),
  )
  for (const args of [["start", "shop", "--to", "5%"], ["step"], ["promote", "shop"], ["abort", "shop"]])
    expect((await runCli(["canary", ...args, ...at])).code).toBe(0)
  expect(asked).toEqual([
    "GET /canary",
    "POST /canary/start?route=shop&to=5%25",
    "POST /canary/step",
    "POST /canary/promote?route=shop",
    "POST /canary/abort?route=shop",
  ])
  expect(JSON.parse((await runCli(["canary", "status", "--json", ...at])).stdout)).toEqual({ splits: [status] })
  answer = [409, { error: "the canary of shop is running already" }]
  expect(await runCli(["canary", "start", ...at])).toEqual({ code: 2, stdout: "", stderr: "bothways: the canary of shop is running already\n" })
  answer = [200, { splits: [] }]
  expect((await runCli(["canary", "status", ...at])).stdout).toBe("no route has a split\n")
  await new Promise(resolve => server.close(resolve))
})
