import { afterAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { startBothways } from "../../support/bothways.ts"
import { udpServer } from "../../support/connect-udp.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { greeting, refused5, request5, socksUdpClient, wrapped } from "../../support/socks.ts"

// The config of docs/socks.md, with ports of this machine and servers on loopback.
interface Model {
  listeners: Record<string, { bind: string; forward: Record<string, unknown> }>
}
const page = readFileSync(join(import.meta.dirname, "../../../docs/socks.md"), "utf8")
const model = parse(/```yaml\n(.*?)```/s.exec(page)![1]!) as Model
const [egress, socks] = (await freePorts(2)) as [number, number]
const origin = await recorder()
const echo = await udpServer()
for (const [name, port] of [
  ["egress", egress],
  ["socks", socks],
] as const) {
  const listener = model.listeners[name]!
  listener.bind = `127.0.0.1:${port}`
  listener.forward["privateRanges"] = "allow"
}
model.listeners["egress"]!.forward["connectPorts"] = [origin.port]
model.listeners["socks"]!.forward["udpPorts"] = [echo.port]
const proxy = await startBothways(model)
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
  await echo[Symbol.asyncDispose]()
})

test("the page's config takes curl, refuses what it closes, and relays datagrams", async () => {
  for (const port of [egress, socks])
    expect((await run("curl", "-sS", "--socks5-hostname", `127.0.0.1:${port}`, `http://localhost:${origin.port}/`)).code).toBe(0)
  using refused = await rawClient(socks)
  refused.send(greeting(0) + request5("x.ads.example", 443))
  expect(await refused.toEnd()).toBe(`\x05\0${refused5(2)}`)
  using client = await rawClient(socks)
  client.send(greeting(0) + request5("0.0.0.0", 0, 3))
  const reply = (await client.bytes(12)).slice(2)
  using udp = await socksUdpClient()
  udp.send(reply.charCodeAt(8) * 256 + reply.charCodeAt(9), wrapped("localhost", echo.port, "datagram"))
  expect(await udp.datagram(0)).toBe(wrapped("localhost", echo.port, "datagram"))
})
