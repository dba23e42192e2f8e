import { afterAll, describe, expect, test } from "bun:test"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { dial, type DialHandler, type DialTarget } from "./dial.ts"
import { closeDescriptor, duplicate, resizeBacklog } from "./libc.ts"
import { descriptors, outcomeOf, watch } from "./test-dial.ts"
import { testTime as time, until } from "./test-time.ts"
import { ClientTls } from "./tls/client-tls.ts"

const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
})

function echoPeer(hostname = "127.0.0.1"): { port: number; received: string } {
  const state = { port: 0, received: "" }
  const server = Bun.listen({
    hostname,
    port: 0,
    socket: {
      data(socket, chunk) {
        state.received += chunk.toString("latin1")
        socket.write(chunk)
      },
    },
  })
  stops.push(() => server.stop(true))
  state.port = server.port
  return state
}

/** A port that neither takes nor refuses: the listening socket outlives its listener, and its accept queue is full. */
async function silentPort(): Promise<number> {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  const fd = duplicate((server as unknown as { fd: number }).fd)
  server.stop(true)
  resizeBacklog(fd, 0)
  const filler = await outcomeOf({ host: "127.0.0.1", port })
  stops.push(() => {
    filler.wire!.terminate()
    closeDescriptor(fd)
  })
  return port
}

describe("dial", () => {
  test("a connection over IPv4, IPv6 and a Unix socket", async () => {
    const path = join(tmpdir(), `bothways-dial-${process.pid}.sock`)
    const peer = echoPeer()
    const local = Bun.listen({
      unix: path,
      socket: {
        data(socket, chunk) {
          socket.write(chunk)
        },
      },
    })
    stops.push(() => local.stop(true))
    const targets: DialTarget[] = [{ host: "127.0.0.1", port: peer.port }, { host: "::1", port: echoPeer("::1").port }, { path }]
    for (const target of targets) {
      const outcome = await outcomeOf(target)
      expect([outcome.failure, outcome.detail]).toEqual(["", ""])
      outcome.wire!.write("ping")
      await until(() => outcome.received === "ping", "the echo")
      if ("port" in target) expect([outcome.wire!.remoteAddress, outcome.wire!.remotePort]).toEqual([target.host, target.port])
      outcome.wire!.end()
      await until(() => outcome.closed === 1, "the end")
    }
  })

  test("nobody listens", async () => {
    expect(await outcomeOf({ host: "127.0.0.1", port: 1 })).toMatchObject({ failure: "refused", detail: "ECONNREFUSED", calls: 1 })
    expect(await outcomeOf({ host: "::1", port: 1 })).toMatchObject({ failure: "refused" })
    expect(await outcomeOf({ path: "/nonexistent/bothways.sock" })).toMatchObject({ failure: "refused", detail: "ENOENT" })
    expect(await outcomeOf({ host: "127.0.0.1", port: 1 }, { tls: new ClientTls(), serverName: "app.test" })).toMatchObject({ failure: "refused" })
    expect(await outcomeOf({ host: "not-a-literal", port: 1 })).toMatchObject({ failure: "unreachable", detail: "EINVAL" })
    expect(await outcomeOf({ host: "255.255.255.255", port: 1 })).toMatchObject({ failure: "unreachable" })
  })

  test("a thousand refused dials leave no descriptor and no timer", async () => {
    await outcomeOf({ host: "127.0.0.1", port: 1 })
    const before = descriptors()
    let failed = 0
    const handler: DialHandler = { onOpen: () => null, onFailed: () => void failed++ }
    for (let i = 0; i < 1000; i++) dial({ host: "127.0.0.1", port: 1 }, { time, timeoutMs: 5000 }, handler)
    await until(() => failed === 1000, "1000 failures")
    expect(descriptors()).toBeLessThanOrEqual(before + 2)
    expect(time.wheel.size).toBe(0)
  })

  test("cancel before the outcome: no call, no descriptor", async () => {
    const peer = echoPeer()
    await outcomeOf({ host: "127.0.0.1", port: peer.port })
    const before = descriptors()
    const outcome = watch()
    for (let i = 0; i < 50; i++) dial({ host: "127.0.0.1", port: peer.port }, { time, timeoutMs: 1000 }, outcome).cancel()
    dial({ path: "/nonexistent/bothways.sock" }, { time, timeoutMs: 1000 }, outcome).cancel()
    await Bun.sleep(30)
    expect(outcome.calls).toBe(0)
    expect(descriptors()).toBeLessThanOrEqual(before + 1)
    expect(time.wheel.size).toBe(0)
  })

  test("cancel from the callback and afterwards does nothing", async () => {
    const outcome = await outcomeOf({ host: "127.0.0.1", port: echoPeer().port })
    expect(outcome.failure + outcome.detail).toBe("")
    outcome.wire!.write("still here")
    await until(() => outcome.received === "still here", "the echo")
    expect(outcome.calls).toBe(1)
  })

  test("a silent address: timeout by the wheel, and the half-made connection is gone at once", async () => {
    const port = await silentPort()
    const before = descriptors()
    const start = performance.now()
    const outcome = await outcomeOf({ host: "127.0.0.1", port }, { timeoutMs: 60 })
    expect(outcome).toMatchObject({ failure: "timeout", calls: 1 })
    expect(performance.now() - start).toBeWithin(55, 200)
    expect(await outcomeOf({ host: "127.0.0.1", port }, { timeoutMs: 30, tls: new ClientTls(), serverName: "app.test" })).toMatchObject({
      failure: "timeout",
    })
    const cancelled = watch()
    const handle = dial({ host: "127.0.0.1", port }, { time, timeoutMs: 1000 }, cancelled)
    await Bun.sleep(10)
    handle.cancel()
    await Bun.sleep(10)
    expect(cancelled.calls).toBe(0)
    expect(descriptors()).toBe(before)
  })

  test("a preface leaves before everything else", async () => {
    const peer = echoPeer()
    const outcome = await outcomeOf({ host: "127.0.0.1", port: peer.port }, { preface: Buffer.from("PROXY UNKNOWN\r\n") })
    outcome.wire!.write("GET")
    await until(() => peer.received === "PROXY UNKNOWN\r\nGET", "preface and request")
  })

  test("the peer's reset reaches onClose once, with the reason", async () => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.terminate()
        },
      },
    })
    stops.push(() => server.stop(true))
    const outcome = await outcomeOf({ host: "127.0.0.1", port: server.port })
    outcome.wire!.write("x")
    await until(() => outcome.closed > 0, "the reset")
    await Bun.sleep(10)
    expect([outcome.closed, outcome.error?.message.includes("ECONNRESET"), outcome.ended]).toEqual([1, true, 0])
  })

  test("half-close both ways: our FIN leaves their writing half open", async () => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        data() {},
        end(socket) {
          socket.end("late answer")
        },
      },
    })
    stops.push(() => server.stop(true))
    const outcome = await outcomeOf({ host: "127.0.0.1", port: server.port })
    outcome.wire!.shutdown()
    await until(() => outcome.closed === 1, "the end")
    expect(outcome.received).toBe("late answer")
  })
})
