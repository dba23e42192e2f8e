import { afterEach, expect, test } from "bun:test"
import { createSocket, type RemoteInfo, type Socket } from "node:dgram"
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { until } from "../test-time.ts"
import type { QuicConnection } from "./quic-connection.ts"
import { ask, authority, dialTest, get, identity } from "./quic.fixture.ts"
import { QuicClientTls } from "./quic-client-tls.ts"
import type { WorkerOrder } from "./quic-worker.fixture.ts"

const workers: Worker[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close()
  await Promise.all(workers.splice(0).map(worker => worker.terminate()))
})

const tls = new QuicClientTls({ ca: authority.cert })
const certificate = identity("a.test")

/** Two workers on one port. */
async function startTwo(steerOver: number): Promise<number> {
  let port = 0
  for (const name of ["one", "two"]) {
    const order: WorkerOrder = { name, port, steerOver, identity: certificate }
    const worker = new Worker(new URL("./quic-worker.fixture.ts", import.meta.url), { workerData: order })
    workers.push(worker)
    ;[port] = (await once(worker, "message")) as [number]
  }
  return port
}

async function whoAnswers(connection: QuicConnection): Promise<string> {
  const { log } = ask(connection, get, true)
  await until(() => log.closed !== "", "an answer")
  return log.closed === "done" ? log.field("x-name")! : log.closed
}

test("workers share a port, and each connection stays with its own", async () => {
  const port = await startTwo(0)
  const names = new Set<string>()
  for (let i = 0; i < 40 && names.size < 2; i++) {
    const { connection } = await dialTest(port, { tls })
    const first = await whoAnswers(connection!)
    expect(await whoAnswers(connection!)).toBe(first)
    names.add(first)
    connection!.close(0x100)
  }
  expect([...names].sort()).toEqual(["one", "two"])
})

/** A NAT between a client and `port`, which forgets whom it had given which port. */
async function startNat(port: number): Promise<{ port: number; forget: () => Promise<void> }> {
  const front = createSocket("udp4").on("error", () => {})
  let back: Socket
  let client: RemoteInfo | null = null
  const open = async (): Promise<void> => {
    // Who has gone is told by an error here.
    back = createSocket("udp4").on("error", () => {})
    back.on("message", data => front.send(data, client!.port, client!.address))
    back.bind(0, "127.0.0.1")
    await once(back, "listening")
    sockets.push(back)
  }
  await open()
  front.on("message", (data, from) => {
    client = from
    back.send(data, port, "127.0.0.1")
  })
  front.bind(0, "127.0.0.1")
  await once(front, "listening")
  sockets.push(front)
  return { port: front.address().port, forget: open }
}

test("a client whose port changes stays where it was, when addresses decide", async () => {
  const port = await startTwo(2)
  for (let i = 0; i < 6; i++) {
    const nat = await startNat(port)
    const { connection } = await dialTest(nat.port, { tls })
    const first = await whoAnswers(connection!)
    await nat.forget()
    expect(await whoAnswers(connection!)).toBe(first)
    connection!.close(0x100)
  }
})
