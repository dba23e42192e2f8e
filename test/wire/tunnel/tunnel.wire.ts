import { afterAll, expect, test } from "bun:test"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import type { Status } from "../../../src/control/admin/status.ts"
import { mainFor } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { TunnelWorld } from "../../support/tunnel-ends.ts"
import { until } from "../../support/wait.ts"

// Both programs on loopback: what a client of the tunnel gets, over how many connections, and what it gets when the exit is away or is not the right one.
const world = new TunnelWorld()
const site = world.authority.issue(["localhost"])
const plain = await recorder()
const secure = createServer({ cert: site.cert, key: site.key }, (request, response) => response.end(`secure ${request.url}`))
await new Promise<void>(resolve => secure.listen(0, "127.0.0.1", () => resolve()))
const secureAt = (secure.address() as AddressInfo).port
const echo = await scriptedServer(async connection => {
  while (true) connection.send(await connection.bytes(1, 3_600_000))
})
const exitAt = await freePort()
const stranger = world.file("stranger", "another-token-of-nobody\n")
const [exit, tunnel, wrongToken, wrongAuthority] = await Promise.all([
  world.exit([], exitAt),
  world.tunnel(exitAt, world.known("--wait", "500ms")),
  world.tunnel(exitAt, ["--ca", world.authority.ca.certFile, "--token-file", stranger, "--kill-switch"]),
  world.tunnel(exitAt, ["--token-file", world.token, "--kill-switch"]),
])
afterAll(async () => {
  await world.stop()
  secure.closeAllConnections()
  secure.close()
  await Promise.all([plain[Symbol.asyncDispose](), echo.close()])
})

const curl = (proxy: string, ...words: string[]) =>
  run("curl", "-sS", "--cacert", world.authority.ca.certFile, "-x", proxy, "-w", " %{http_connect} %{http_code}", ...words)
const http = `http://127.0.0.1:${tunnel.port}`

/** Connections that the exit has, and those of the tunnel with their streams. */
async function connections(): Promise<{ exit: number; tunnel: number[] }> {
  const [there, here] = await Promise.all([exit, tunnel].map(async ({ admin }) => (await (await fetch(`${admin}/status`)).json()) as Status))
  const shared = here!.workers[0]!.detail!.pools["exit"]!.shared
  return { exit: there!.listeners.find(({ name }) => name === "exit")!.connections, tunnel: shared.connections.map(({ streams }) => streams) }
}

test.each([
  ["http://", `http://127.0.0.1:${tunnel.port}`],
  ["SOCKS 5", `socks5h://127.0.0.1:${tunnel.port}`],
  ["SOCKS 4a", `socks4a://127.0.0.1:${tunnel.port}`],
])("by %s: http:// and https:// come through, and the origin sees the exit", async (_how, proxy) => {
  expect((await curl(proxy, `http://localhost:${plain.port}/a`)).stdout).toEndWith(" 200")
  expect((await curl(proxy, `https://localhost:${secureAt}/b`)).stdout).toContain("secure /b")
  const [request] = plain.requests.splice(0)
  expect(request!.start).toBe("GET /a HTTP/1.1")
  expect(request!.head).not.toMatch(/via:|forwarded|proxy-|s3cret/i)
})

test("200 tunnels at the same time are one connection", async () => {
  const before = await connections()
  const clients = await Promise.all(Array.from({ length: 200 }, () => rawClient(tunnel.port)))
  for (const client of clients) client.send(`CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\n\r\n`)
  await Promise.all(clients.map(client => client.response("CONNECT")))
  for (const [i, client] of clients.entries()) client.send(String.fromCharCode(33 + (i % 90)))
  for (const [i, client] of clients.entries()) expect(await client.bytes(1)).toBe(String.fromCharCode(33 + (i % 90)))
  expect(echo.connections.length).toBe(200)
  expect(await connections()).toEqual({ exit: before.exit, tunnel: [200] })
  for (const client of clients) client.destroy()
})

test("a wrong token: 502 that says so, and nothing reaches the origin", async () => {
  const { stdout } = await curl(`http://127.0.0.1:${wrongToken.port}`, `http://localhost:${plain.port}/never`)
  expect(stdout).toContain("upstream.parent-auth")
  expect(stdout).toEndWith(" 000 502")
  expect((await curl(`http://127.0.0.1:${wrongToken.port}`, `https://localhost:${secureAt}/never`)).stdout).toEndWith(" 502 000")
})

test("without --kill-switch a tunnel that the exit does not take ends, and says why", async () => {
  const words = [
    "--via",
    `https://127.0.0.1:${exit.port}`,
    "--server-name",
    "exit.test",
    "--ca",
    world.authority.ca.certFile,
    "--token-file",
    stranger,
  ]
  const more = ["--listen", `127.0.0.1:${await freePort()}`, "--status-bind", "off"]
  const { code, stderr } = await run(process.execPath, mainFor([]), "tunnel", ...words, ...more)
  expect(stderr).toContain("look at --token-file")
  expect(stderr).not.toContain("another-token")
  expect(code).toBe(1)
}, 20_000)

test("an exit whose certificate nobody vouches for gets no request, and no token", async () => {
  const { stdout } = await curl(`http://127.0.0.1:${wrongAuthority.port}`, `http://localhost:${plain.port}/never`)
  expect(stdout).toContain("upstream.tls-failed")
  await until(() => wrongAuthority.program.stderr.includes("the TLS handshake with a peer failed"))
  expect(plain.requests).toEqual([])
})

test("the exit dies: requests wait, then fail, and nothing goes out in another way; it comes back: they go on", async () => {
  exit.program.signal("SIGKILL")
  await exit.program.exit()
  const before = plain.server.connections.length
  const [one, two, three] = await Promise.all([
    curl(http, `http://localhost:${plain.port}/never`),
    curl(http, `https://localhost:${secureAt}/never`),
    curl(`socks5h://127.0.0.1:${tunnel.port}`, `http://localhost:${plain.port}/never`),
  ])
  expect(one.stdout).toContain("upstream.connect-refused")
  expect([one.stdout.slice(-8), two.stdout.slice(-8), three.code]).toEqual([" 000 502", " 502 000", 97])
  expect([plain.server.connections.length - before, plain.requests.length]).toEqual([0, 0])
  const waiting = until(async () => (await curl(http, `http://localhost:${plain.port}/again`)).stdout === "ok 000 200", 15_000)
  await world.exit([], exit.port)
  await waiting
}, 20_000)
