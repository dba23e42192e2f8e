import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { greeting, refused5, request4, request5 } from "../../support/socks.ts"
import { pause, until } from "../../support/wait.ts"

// How SOCKS connections go on and end: slow and silent clients, half-closes, limits, a listener that goes away.
const [port, only, few] = (await freePorts(3)) as [number, number, number]
const origin = await scriptedServer(async connection => {
  const first = await connection.through("\n")
  connection.send(`back ${first}`)
  if (first !== "hold\n") {
    await connection.toEnd()
    connection.send("after the end")
    connection.fin()
  }
})
const forward = { privateRanges: "allow", connectPorts: [origin.port] }
const timeouts = { head: "300ms" }
const config = {
  listeners: {
    egress: { bind: `127.0.0.1:${port}`, forward, timeouts },
    only: { bind: `127.0.0.1:${only}`, forward: { ...forward, socks: { only: true } }, timeouts },
    few: { bind: `127.0.0.1:${few}`, forward: { ...forward, socks: { only: true } }, limits: { connectionsMax: 1 } },
  },
  routes: [{ to: { origin: {} } }],
  observe: { accessLog: { format: "json", to: "stdout" } },
}
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})
const connect = greeting(0) + request5("127.0.0.1", origin.port)

describe("a client", () => {
  test("that drips its octets one by one, and says more before it is asked to", async () => {
    using client = await rawClient(port)
    await client.sendSlowly(`${connect}early\n`)
    const reply = await client.bytes(12)
    expect(reply.slice(0, 10)).toBe("\x05\0\x05\0\0\x01\x7f\0\0\x01")
    expect(await client.through("\n")).toBe("back early\n")
    client.reset()
  })

  test("that closes its half: what comes after is still for it", async () => {
    for (const octets of [connect, request4("127.0.0.1", origin.port)]) {
      using client = await rawClient(port)
      client.send(`${octets}all\n`)
      client.fin()
      expect(await client.toEnd()).toEndWith("back all\nafter the end")
      expect(client.ending).toBe("fin")
    }
  })

  test("that is slow, or says nothing", async () => {
    using slow = await rawClient(port)
    slow.send(greeting(0) + connect.slice(3, 8))
    using silent = await rawClient(only)
    using half = await rawClient(only)
    half.send("\x05")
    expect(await slow.toEnd()).toBe(`\x05\0${refused5(1)}`)
    expect(await silent.toEnd()).toBe("")
    expect(await half.toEnd()).toBe("")
    const lines = await until(() => {
      const all = proxy.log().filter(line => line["fault"] === "client.head-timeout")
      return all.length === 2 ? all : undefined
    })
    expect(lines.map(line => [line["listener"], line["version"], line["status"]]).sort()).toEqual([
      ["egress", "socks5", 408],
      ["only", "socks5", 408],
    ])
  })

  test("that goes away while it is being connected, or in the middle of its request", async () => {
    for (const octets of [connect, connect.slice(0, 7), "\x04"]) {
      const client = await rawClient(port)
      client.send(octets)
      await pause(2)
      client.reset()
    }
    using client = await rawClient(port)
    client.send(`${connect}fine\n`)
    expect(await client.through("back fine\n")).not.toBe("")
    client.reset()
  })

  test("one too many is closed without a word of HTTP", async () => {
    using first = await rawClient(few)
    first.send(`${connect}hold\n`)
    await first.through("back hold\n")
    // It may not even live to be connected.
    const second = await rawClient(few).catch(() => null)
    second?.send(connect)
    expect((await second?.toEnd()) ?? "").toBe("")
    second?.destroy()
    first.reset()
  })
})

test("a listener that goes away: tunnels go on, who is in the middle may finish, who has said nothing ends", async () => {
  using tunnel = await rawClient(only)
  tunnel.send(`${connect}hold\n`)
  await tunnel.through("back hold\n")
  using middle = await rawClient(only)
  middle.send(greeting(0))
  await middle.bytes(2)
  const { only: _gone, ...listeners } = config.listeners
  proxy.rewrite({ ...config, listeners, admin: { bind: proxy.admin.slice("http://".length) }, workers: 1 })
  process.kill(proxy.pid, "SIGHUP")
  await until(async () => {
    try {
      ;(await rawClient(only)).destroy()
      return undefined
    } catch {
      return true
    }
  })
  middle.send(`${connect.slice(3)}late\n`)
  expect((await middle.bytes(10)).slice(0, 2)).toBe("\x05\0")
  expect(await middle.through("\n")).toBe("back late\n")
  tunnel.send("more")
  await pause(20)
  expect(tunnel.ending).toBe("open")
  tunnel.reset()
  middle.reset()
})
