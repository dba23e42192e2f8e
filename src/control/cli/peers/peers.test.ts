import { describe, expect, test } from "bun:test"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { PeerView } from "../../peers/run-time-peers.ts"
import { runCli } from "../cache/run-cli.fixture.ts"

/** An admin listener that gives these answers in turn, the last one for ever. */
async function admin(...answers: (readonly [number, unknown])[]) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const [status, body] = answers[Math.min(asked.length, answers.length) - 1]!
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body))
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const at = ["--admin", `127.0.0.1:${(server.address() as AddressInfo).port}`]
  return { asked, at, [Symbol.asyncDispose]: () => new Promise<void>(resolve => void server.close(() => resolve())) }
}

const peer = (more: Partial<PeerView> = {}): PeerView => ({
  name: "10.0.0.1:80",
  host: "",
  from: "config",
  weight: 1,
  backup: false,
  state: "up",
  health: "up",
  share: 1,
  inFlight: 0,
  requests: 1234,
  drain: null,
  ...more,
})

const reply = (peers: readonly PeerView[], changed: readonly string[] = [], kept = false) => ({
  ok: true,
  clusters: { shop: { peers, changed } },
  kept,
})

describe("bothways peers", () => {
  test("asks as it was told", async () => {
    const table: [string[], string][] = [
      [["list"], "GET /peers"],
      [["list", "shop"], "GET /peers?cluster=shop"],
      [["add", "shop", "10.0.0.2:80"], "POST /peers/add?cluster=shop&address=10.0.0.2%3A80"],
      [["add", "shop", "a.test:80", "--weight", "3", "--backup"], "POST /peers/add?cluster=shop&address=a.test%3A80&weight=3&backup=true"],
      [["weight", "shop", "unix:/run/a", "0"], "POST /peers/weight?cluster=shop&address=unix%3A%2Frun%2Fa&weight=0"],
      [
        ["drain", "shop", "a:1", "--timeout", "1m", "--sessions", "--force"],
        "POST /peers/drain?cluster=shop&address=a%3A1&timeout=1m&sessions=true&force=true",
      ],
      [["ready", "shop", "a:1"], "POST /peers/ready?cluster=shop&address=a%3A1"],
      [["enable", "shop", "a:1"], "POST /peers/ready?cluster=shop&address=a%3A1"],
      [["disable", "shop", "a:1"], "POST /peers/drain?cluster=shop&address=a%3A1&timeout=0s"],
      [["remove", "shop", "a:1", "--drain", "5s"], "POST /peers/remove?cluster=shop&address=a%3A1&drain=5s"],
      [["reset", "shop"], "POST /peers/reset?cluster=shop"],
    ]
    await using server = await admin([200, reply([peer()])])
    for (const [args, question] of table) {
      server.asked.length = 0
      const { code } = await runCli(["peers", ...args, ...server.at])
      expect([code, server.asked]).toEqual([0, [question]])
    }
    expect(await runCli(["peers", "drain", "shop", "a:1", "--timeout", "soon", ...server.at])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("such as 30s"),
    })
  })

  test("a table with what is not as in the config; JSON as it came", async () => {
    const drain = { startedAt: 0, until: Date.now() + 12_400, sessions: true, cut: 0 }
    const peers = [
      peer({ weight: 5, share: 0.42 }),
      peer({ name: "10.0.0.2:80", host: "app.test", state: "draining", inFlight: 3, drain }),
      peer({ name: "[::1]:9", from: "run time", backup: true, state: "down" }),
    ]
    const body = reply(peers, ["10.0.0.1:80 has weight 5"])
    await using server = await admin([200, body])
    const { stdout } = await runCli(["peers", "list", ...server.at])
    expect(stdout).toBe(
      [
        "cluster shop",
        "PEER              NAME      FROM      WEIGHT  STATE                                  IN FLIGHT  REQUESTS",
        "10.0.0.1:80                 config         5  up, starts with 42 %                           0     1,234",
        "10.0.0.2:80       app.test  config         1  draining, 12s left, sessions may come          3     1,234",
        "[::1]:9 (backup)            run time       1  down                                           0     1,234",
        "not as in the config: 10.0.0.1:80 has weight 5",
        "changes last until the process ends; admin.peersFile keeps them",
        "",
      ].join("\n"),
    )
    expect(JSON.parse((await runCli(["peers", "list", "--json", ...server.at])).stdout)).toEqual(body)
  })

  test("--wait looks until the peer is drained, and tells how much is left", async () => {
    const drain = { startedAt: 0, until: Date.now() + 9000, sessions: false, cut: 0 }
    const busy = (inFlight: number) => reply([peer({ state: "draining", inFlight, drain })])
    await using server = await admin([200, busy(2)], [200, busy(1)], [200, reply([peer({ state: "drained", drain: { ...drain, cut: 1 } })])])
    const { code, stdout, stderr } = await runCli(["peers", "drain", "shop", "10.0.0.1:80", "--wait", ...server.at])
    expect([code, server.asked.slice(1)]).toEqual([0, ["GET /peers?cluster=shop", "GET /peers?cluster=shop"]])
    expect(stderr).toBe("10.0.0.1:80: 2 requests under way …\n10.0.0.1:80: 1 request under way …\n")
    expect(stdout).toContain("drained, 1 cut")
  })

  test("remove --wait looks until it is gone", async () => {
    await using server = await admin([200, reply([peer()])], [200, reply([peer({ state: "drained" })])], [200, reply([])])
    const { code, stdout } = await runCli(["peers", "remove", "shop", "10.0.0.1:80", "--drain", "1s", "--wait", ...server.at])
    expect([code, server.asked.length, stdout]).toEqual([0, 3, "cluster shop\nno peer\n"])
  })

  test("what the instance refuses is told with its reason; nobody there", async () => {
    for (const status of [400, 404, 409, 422]) {
      await using server = await admin([status, { error: "it is the last one" }])
      expect(await runCli(["peers", "ready", "shop", "a:1", ...server.at])).toEqual({ code: 2, stdout: "", stderr: "bothways: it is the last one\n" })
    }
    expect(await runCli(["peers", "list", "--admin", "127.0.0.1:1"])).toMatchObject({ code: 4 })
  })
})
