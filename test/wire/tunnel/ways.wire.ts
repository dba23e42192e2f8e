import { afterAll, describe, expect, test } from "bun:test"
import { udpServer } from "../../support/connect-udp.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { greeting, request5, socksUdpClient, wrapped } from "../../support/socks.ts"
import { TunnelWorld } from "../../support/tunnel-ends.ts"
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
const [exit, padded, byCertificate] = await Promise.all([
  world.exit(["--http3"]),
  world.exit(["--padding"]),
  world.exit(["--client-ca", world.authority.ca.certFile]),
])
const ways = {
  "over HTTP/2": await world.tunnel(exit.port),
  "over HTTP/3": await world.tunnel(exit.port, world.known("--http3")),
  padded: await world.tunnel(padded.port, world.known("--padding")),
  "with a certificate": await world.tunnel(byCertificate.port, [
    "--ca",
    world.authority.ca.certFile,
    "--cert",
    client.certFile,
    "--key",
    client.keyFile,
  ]),
}
afterAll(async () => {
  await world.stop()
  await Promise.all([plain[Symbol.asyncDispose](), echo[Symbol.asyncDispose](), bulk.close()])
})

describe.each(Object.entries(ways))("%s", (_way, tunnel) => {
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
  const tunnel = await world.tunnel(byCertificate.port, world.known("--kill-switch"))
  const { stdout } = await run("curl", "-sS", "-x", `http://127.0.0.1:${tunnel.port}`, "-w", "%{http_code}", `http://localhost:${plain.port}/never`)
  expect(stdout).toEndWith("502")
  await until(() => tunnel.program.stderr.includes("--cert and --key"))
  expect(plain.requests).toEqual([])
})
