import { afterAll, describe, expect, test } from "bun:test"
import { udpServer } from "../../support/connect-udp.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { greeting, request5, socksUdpClient, wrapped } from "../../support/socks.ts"
import { type TunnelEnd, TunnelWorld } from "../../support/tunnel-ends.ts"
import { until } from "../../support/wait.ts"

// The other ways that a tunnel can be carried, and what else it carries: padded, over QUIC, with a certificate as log-in; UDP.
const world = new TunnelWorld()
const plain = await recorder()
const echo = await udpServer()
const bulk = await scriptedServer(async connection => {
  await connection.bytes(1, 3_600_000)
  connection.send(Buffer.alloc(300_000, 120))
  connection.fin()
})
const client = world.authority.issue(["laptop.test"])
const [exitAt, certificateAt] = (await freePorts(2)) as [number, number]
const ca = world.authority.ca.certFile
const flags = {
  "over HTTP/3": [exitAt, world.known("--http3")],
  padded: [exitAt, world.known("--padding")],
  "with a certificate": [certificateAt, ["--ca", ca, "--cert", client.certFile, "--key", client.keyFile]],
  "without one": [certificateAt, world.known("--kill-switch")],
} as const
// All at once: tunnels wait for their exits.
const [started] = await Promise.all([
  Promise.all(Object.values(flags).map(([port, words]) => world.tunnel(port, words))),
  world.exit(["--http3", "--padding"], exitAt),
  world.exit(["--client-ca", ca], certificateAt),
])
const ways = Object.keys(flags).map((way, i): [string, TunnelEnd] => [way, started[i]!])
const refused = ways.pop()![1]
afterAll(async () => {
  await world.stop()
  await Promise.all([plain[Symbol.asyncDispose](), echo[Symbol.asyncDispose](), bulk.close()])
})

describe.each(ways)("%s", (_way, tunnel) => {
  test("requests and their bodies", async () => {
    const { stdout } = await run(
      "curl",
      "-sS",
      "-x",
      `http://127.0.0.1:${tunnel.port}`,
      "--data",
      "x".repeat(70_000),
      `http://localhost:${plain.port}/a`,
    )
    expect(stdout).toBe("ok")
    expect(plain.requests.pop()!.body.length).toBe(70_000)
  })

  test("tunnels, with as much as comes", async () => {
    using one = await rawClient(tunnel.port)
    one.send(`CONNECT ${bulk.address} HTTP/1.1\r\nHost: ${bulk.address}\r\n\r\n`)
    expect((await one.response("CONNECT")).status).toBe(200)
    one.send("x")
    expect((await one.bytes(300_000)).replaceAll("x", "")).toBe("")
    expect(await one.ended()).toBe("fin")
  })

  test("UDP of SOCKS 5 clients", async () => {
    using one = await rawClient(tunnel.port)
    one.send(greeting(0) + request5("0.0.0.0", 0, 3))
    expect(await one.bytes(2)).toBe("\x05\0")
    const reply = await one.bytes(10)
    using udp = await socksUdpClient()
    udp.send(reply.charCodeAt(8) * 256 + reply.charCodeAt(9), wrapped("localhost", echo.port, "datagram"))
    expect(await udp.datagram(0)).toBe(wrapped("localhost", echo.port, "datagram"))
  })
})

test("an exit that knows clients by their certificate takes nobody without", async () => {
  const { stdout } = await run("curl", "-sS", "-x", `http://127.0.0.1:${refused.port}`, "-w", "%{http_code}", `http://localhost:${plain.port}/never`)
  expect(stdout).toEndWith("502")
  await until(() => refused.program.stderr.includes("--cert and --key"))
  expect(plain.requests).toEqual([])
})
