import { afterAll, describe, expect, test } from "bun:test"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ConnectionInfo } from "./connection-info.ts"
import { dial } from "./dial.ts"
import { hasNoDelay } from "./libc.ts"
import { listen, type Listening, type ListenOptions } from "./listen.ts"
import { ListenError } from "./listen-error.ts"
import { probeBind } from "./probe-bind.ts"
import { client, Door, loopback, startDoor, watched } from "./test-door.ts"
import { testTime, until } from "./test-time.ts"
import type { Wire, WireHandler } from "./wire.ts"

const time = testTime
const folder = mkdtempSync(join(tmpdir(), "bothways-listen-"))
const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
  rmSync(folder, { recursive: true })
})

function start(options: Partial<ListenOptions> = {}): { door: Door; at: Listening } {
  return startDoor(stops, options)
}

function failureOf(run: () => unknown): ListenError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(ListenError)
    return error as ListenError
  }
  throw new Error("nothing failed")
}

describe("listen", () => {
  test("bytes go both ways; who came from where", async () => {
    const { door, at } = start()
    const one = await client(at.port)
    one.socket.write("hello")
    await until(() => one.received === "hello", "the echo")
    const { info } = door.seen[0]!
    expect([info.remoteAddress, info.remotePort, info.localAddress, info.localPort]).toEqual([
      "127.0.0.1",
      one.socket.localPort!,
      "127.0.0.1",
      at.port,
    ])
    expect([info.secure, info.serverName, info.alpn, info.clientCertificate, info.peerAddress]).toEqual([false, "", "", null, "127.0.0.1"])
    one.socket.end()
    await until(() => one.closed, "the end")
    await until(() => door.seen[0]!.closed === 1, "our end")
    expect([door.seen[0]!.ended, door.seen[0]!.error]).toEqual([1, null])
    expect(info.remoteAddress).toBe("127.0.0.1")
  })

  test("no host: IPv4 and IPv6 on one port, IPv4 addresses not in mapped form", async () => {
    const { door, at } = start({ bind: { host: "", port: 0 } })
    await client(at.port, "127.0.0.1")
    await client(at.port, "::1")
    await until(() => door.seen.length === 2, "both")
    expect(door.seen.map(({ info }) => [info.remoteAddress, info.localAddress])).toEqual([
      ["127.0.0.1", "127.0.0.1"],
      ["::1", "::1"],
    ])
  })

  test("`::` is IPv6 alone, so 0.0.0.0 fits beside it", () => {
    const { at } = start({ bind: { host: "::", port: 0 } })
    expect(start({ bind: { host: "0.0.0.0", port: at.port } }).at.port).toBe(at.port)
  })

  test("the acceptor may refuse; the client sees a reset and nobody hears of it again", async () => {
    const { door, at } = start()
    door.accepts = false
    const one = await client(at.port)
    await until(() => one.closed, "the refusal")
    expect(door.seen).toEqual([])
  })

  test("a connection that its acceptor closes while it opens still ends with onClose", async () => {
    const calls: (Error | null)[] = []
    const handler: WireHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose: (_wire, error) => void calls.push(error) }
    const at = listen(
      { bind: loopback, time },
      {
        onOpen: wire => {
          wire.terminate()
          return handler
        },
      },
    )
    stops.push(() => at.stop())
    const one = await client(at.port)
    await until(() => one.closed, "the reset")
    await Bun.sleep(10)
    expect(calls).toEqual([null])
  })

  test("half-close: the client's FIN leaves our writing half open", async () => {
    const { door, at } = start()
    door.closesOnEnd = false
    const one = await client(at.port)
    one.socket.end("request")
    await until(() => door.seen[0]?.ended === 1, "the FIN")
    expect(door.seen[0]!.closed).toBe(0)
    await until(() => one.received === "request", "the echo after the FIN")
    door.seen[0]!.wire.end()
    await until(() => door.seen[0]!.closed === 1 && one.closed, "the end")
  })

  test("back-pressure: write takes what the kernel takes, drain tells when there is room, the peer's pause holds us", async () => {
    const { door, at } = start()
    const one = await client(at.port)
    one.socket.pause()
    await until(() => door.seen.length === 1, "the connection")
    const { wire } = door.seen[0]!
    const block = Buffer.alloc(16 * 1024 * 1024, 120)
    let sent = wire.write(block)
    expect(sent).toBeWithin(1, block.length)
    expect(wire.write(block, sent, block.length - sent)).toBe(0)
    let total = 0
    one.socket.removeAllListeners("data")
    one.socket.on("data", chunk => {
      total += chunk.length
    })
    const drained = door.seen[0]!.drained
    one.socket.resume()
    while (sent < block.length) {
      const before = door.seen[0]!.drained
      await until(() => door.seen[0]!.drained > before, "room")
      sent += wire.write(block, sent, block.length - sent)
    }
    await until(() => total === block.length, "all of it")
    expect(door.seen[0]!.drained).toBeGreaterThan(drained)
    one.socket.destroy()
  })

  test("pause stops reading, so the sender's kernel fills up; resume goes on without loss", async () => {
    const { door, at } = start()
    door.echoes = false
    const one = await client(at.port)
    await until(() => door.seen.length === 1, "the connection")
    const { wire } = door.seen[0]!
    wire.pause()
    const bytes = 20 * 1024 * 1024
    one.socket.write(Buffer.alloc(bytes, 97))
    await Bun.sleep(30)
    const held = door.seen[0]!.received.length
    expect(held).toBeLessThan(2 * 1024 * 1024)
    wire.resume()
    await until(() => door.seen[0]!.received.length === bytes, "the rest")
    one.socket.destroy()
  })

  test("resets in every state: onClose exactly once, and a sign that it was no clean end", async () => {
    const { door, at } = start()
    for (let i = 0; i < 30; i++) {
      const one = await client(at.port)
      if (i % 3 === 1) one.socket.write("half a request")
      if (i % 3 === 2) one.socket.write(Buffer.alloc(300_000))
      one.socket.resetAndDestroy()
    }
    await until(() => door.seen.length === 30 && door.seen.every(({ closed }) => closed > 0), "all ends")
    await Bun.sleep(20)
    expect(door.seen.map(({ closed }) => closed)).toEqual(Array<number>(30).fill(1))
    expect(door.seen.map(({ error, broken }) => broken || error?.message.includes("ECONNRESET"))).toEqual(Array<boolean>(30).fill(true))
    // Where our own write met the reset, what follows looks like a FIN.
    expect(door.seen.filter(({ broken, ended }) => broken && ended === 1).length).toBeGreaterThan(0)
  })

  test("a handler that throws in spite of its contract ends its own connection only", async () => {
    const { door, at } = start()
    const boom = new Error("boom")
    const [bad, good] = [await client(at.port), await client(at.port)]
    await until(() => door.seen.length === 2, "both")
    const reasons: (Error | null)[] = []
    door.seen[0]!.wire.data = {
      onData() {
        throw boom
      },
      onDrain() {},
      onEnd() {},
      onClose: (_wire, error) => void reasons.push(error),
    }
    bad.socket.write("x")
    await until(() => bad.closed, "its end")
    expect(reasons).toEqual([boom])
    good.socket.write("still here")
    await until(() => good.received === "still here", "the other")
  })

  test("stop: no new connection, the open ones live on", async () => {
    const { door, at } = start()
    const one = await client(at.port)
    await until(() => door.seen.length === 1, "the connection")
    at.stop()
    at.stop()
    one.socket.write("after")
    await until(() => one.received === "after", "the echo")
    let refused = false
    dial(
      { host: "127.0.0.1", port: at.port },
      { time, timeoutMs: 500 },
      {
        onOpen: () => null,
        onFailed: kind => {
          refused = kind === "refused"
        },
      },
    )
    await until(() => refused, "the refusal")
    one.socket.end()
    await until(() => door.seen[0]!.closed === 1, "the end")
  })

  test("drain: who waits in the queue is served, who comes later is refused", async () => {
    const names: string[] = []
    class NamedDoor extends Door {
      override onOpen(wire: Wire, info: ConnectionInfo): WireHandler | null {
        names.push(info.remoteAddress)
        return super.onOpen(wire, info)
      }
    }
    const { door, at } = startDoor(stops, {}, new NamedDoor())
    const script = `exec 3<>/dev/tcp/127.0.0.1/${at.port}; echo waiting >&3; head -n 1 <&3`
    const waiting = Array.from({ length: 5 }, () => spawn("bash", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] }))
    const answers = waiting.map(child => {
      let text = ""
      child.stdout.on("data", chunk => {
        text += String(chunk)
      })
      return new Promise<string>(resolve => child.on("close", () => resolve(text)))
    })
    // Nobody accepts meanwhile: this thread stands still.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    expect(door.seen.length).toBe(0)
    at.drain()
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 5 }, () => "waiting\n"))
    expect(names).toEqual(Array.from({ length: 5 }, () => "127.0.0.1"))
    await until(() => door.seen.every(seen => seen.closed === 1), "the end of all")
    const late = connect(at.port, "127.0.0.1")
    expect(await new Promise(resolve => late.once("error", error => resolve((error as NodeJS.ErrnoException).code)))).toBe("ECONNREFUSED")
  })

  test("Nagle is off on both ends without our asking, and the accept queue is long", async () => {
    const { door, at } = start()
    const dialed: Wire[] = []
    dial({ host: "127.0.0.1", port: at.port }, { time, timeoutMs: 500 }, { onOpen: wire => (dialed.push(wire) > 0 ? door : null), onFailed() {} })
    await until(() => dialed.length === 1 && door.seen.length === 1, "both ends")
    for (const wire of [dialed[0]!, door.seen[0]!.wire]) expect(hasNoDelay((wire as unknown as { fd: number }).fd)).toBeTrue()
    const queue = execFileSync("ss", ["-Hltn", `sport = :${at.port}`], { encoding: "utf8" }).split(/\s+/)[2]
    expect(Number(queue)).toBe(Math.min(4096, Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"))))
    dialed[0]!.data = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
    dialed[0]!.terminate()
  })

  test("a chunk belongs to us: the next one does not overwrite it", async () => {
    const chunks: Buffer[] = []
    const handler: WireHandler = { onData: (_wire, chunk) => void chunks.push(chunk), onDrain() {}, onEnd() {}, onClose() {} }
    const at = listen({ bind: loopback, time }, { onOpen: () => handler })
    stops.push(() => at.stop())
    const one = await client(at.port)
    for (const text of ["first", "other", "third"]) {
      one.socket.write(text)
      await until(() => chunks.at(-1)?.toString() === text, text)
    }
    expect(chunks.map(String)).toEqual(["first", "other", "third"])
    one.socket.destroy()
  })
})

describe("taken addresses", () => {
  test("a port that is taken, by us or by others; the message names it", () => {
    const { at } = start()
    const error = failureOf(() => listen({ bind: { host: "127.0.0.1", port: at.port }, time }, new Door()))
    expect([error.code, error.message]).toEqual(["EADDRINUSE", `cannot listen on 127.0.0.1:${at.port}: another program has taken this port`])
    expect(failureOf(() => probeBind({ host: "127.0.0.1", port: at.port })).code).toBe("EADDRINUSE")
    expect(failureOf(() => listen({ bind: { host: "", port: at.port }, time }, new Door())).message).toContain(`:${at.port}`)
  })

  test("an address of another machine, and none", () => {
    expect(failureOf(() => start({ bind: { host: "192.0.2.77", port: 0 } })).message).toBe(
      "cannot listen on 192.0.2.77:0: this machine does not have the address",
    )
    expect(failureOf(() => start({ bind: { path: join(folder, "nowhere", "a.sock") } })).message).toContain("its folder does not exist")
    expect(failureOf(() => start({ bind: { path: join(folder, "x".repeat(120)) } })).message).toContain("107 octets")
  })

  test("workers share a port; a probe still finds it taken", async () => {
    const first = start({ reusePort: true })
    const second = start({ reusePort: true, bind: { host: "127.0.0.1", port: first.at.port } })
    expect(failureOf(() => probeBind({ host: "127.0.0.1", port: first.at.port })).code).toBe("EADDRINUSE")
    for (let i = 0; i < 40; i++) (await client(first.at.port)).socket.destroy()
    await until(() => first.door.seen.length + second.door.seen.length === 40, "all")
    expect(Math.min(first.door.seen.length, second.door.seen.length)).toBeGreaterThan(3)
  })

  test("probeBind gives the address back", () => {
    const port = probeBind(loopback)
    expect(port).toBeGreaterThan(0)
    expect(start({ bind: { host: "127.0.0.1", port } }).at.port).toBe(port)
  })
})

describe("Unix sockets", () => {
  test("bytes, mode, and the file is gone afterwards", async () => {
    const path = join(folder, "a.sock")
    const { door, at } = start({ bind: { path }, socketMode: 0o660 })
    expect([at.port, statSync(path).mode & 0o777]).toEqual([0, 0o660])
    const one = await watched(connect({ path }))
    one.socket.write("hello")
    await until(() => one.received === "hello", "the echo")
    const { info } = door.seen[0]!
    expect([info.remoteAddress, info.remotePort, info.localPort]).toEqual(["", 0, 0])
    at.stop()
    expect(existsSync(path)).toBeFalse()
  })

  test("a file that a dead program left is replaced, one that is in use or no socket is not", () => {
    const path = join(folder, "stale.sock")
    const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); process.kill(process.pid, "SIGKILL")`
    Bun.spawnSync([process.execPath, "-e", script])
    expect(statSync(path).isSocket()).toBeTrue()
    start({ bind: { path } })
    const error = failureOf(() => listen({ bind: { path }, time }, new Door()))
    expect([error.code, error.message]).toEqual(["EADDRINUSE", `cannot listen on unix:${path}: another program answers on this socket`])
    const plain = join(folder, "file")
    writeFileSync(plain, "precious")
    expect(failureOf(() => start({ bind: { path: plain } })).message).toContain("is no socket")
    expect(existsSync(plain)).toBeTrue()
  })

  test("several workers accept from one descriptor", async () => {
    const path = join(folder, "shared.sock")
    const first = start({ bind: { path } })
    const second = start({ bind: { path }, fd: first.at.fd })
    second.at.stop()
    expect(existsSync(path)).toBeTrue()
    const third = start({ bind: { path }, fd: first.at.fd })
    for (let i = 0; i < 20; i++) await watched(connect({ path }))
    await until(() => first.door.seen.length + third.door.seen.length === 20, "all")
    expect(second.door.seen.length).toBe(0)
  })
})
