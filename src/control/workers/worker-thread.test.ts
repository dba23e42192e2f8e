import { describe, expect, test } from "bun:test"
import { connect } from "node:net"
import type { FromWorker, WorkerSetup } from "../protocol.ts"
import { startThread, type WorkerPort } from "./worker-thread.ts"

const module = new URL("./fixture/moody-thread.ts", import.meta.url)

function start(mood: string, from = module) {
  const memory = new SharedArrayBuffer(64)
  const setup: WorkerSetup = {
    index: 0,
    count: 1,
    shared: { peers: memory, metrics: memory, heartbeat: memory },
    instanceId: "test",
    testing: { mood },
  }
  const got: FromWorker[] = []
  let port: WorkerPort | null = null
  const next = Promise.withResolvers<FromWorker>()
  const ended = new Promise<string>(resolve => {
    port = startThread(from, setup, {
      message: message => {
        got.push(message)
        if (message.type === "ready") port!.post({ type: "reopen" })
        else next.resolve(message)
      },
      ended: resolve,
    })
  })
  return { port: port!, ended, got, next: next.promise }
}

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

describe("threads of the runtime", () => {
  test("an error in a callback ends the thread and is told with its stack", async () => {
    const error = await start("throw").ended
    expect(error).toContain("thrown in a callback")
    expect(error).toContain("moody-thread.ts")
  })

  test("so does a rejection that nobody catches", async () => {
    expect(await start("reject").ended).toContain("rejected and not caught")
  })

  test("an exit is told with its code", async () => {
    expect(await start("exit").ended).toContain("exit code 7")
  })

  test("a module that is not there is an error and no hang", async () => {
    expect(await start("none", new URL("./fixture/no-such-thread.ts", import.meta.url)).ended).toContain("no-such-thread")
  })

  test("a thread that spins is ended within half a second", async () => {
    const { port, ended } = start("spin")
    await pause(150)
    const begin = performance.now()
    port.terminate()
    expect(await ended).toBe("")
    expect(performance.now() - begin).toBeLessThan(500)
  })

  test("ending a thread closes its listeners and connections at once", async () => {
    const { port, ended, next } = start("listen")
    const message = await next
    const socket = connect((message as { cut: number }).cut, "127.0.0.1")
    const closed = new Promise<void>(resolve => {
      socket.on("close", () => resolve())
      socket.on("error", () => {})
    })
    await new Promise<void>(resolve => socket.once("data", () => resolve()))
    port.terminate()
    expect(await ended).toBe("")
    await closed
    const refused = await new Promise<string>(resolve =>
      connect((message as { cut: number }).cut, "127.0.0.1").on("error", error => resolve((error as NodeJS.ErrnoException).code ?? "")),
    )
    expect(refused).toBe("ECONNREFUSED")
  })
})
