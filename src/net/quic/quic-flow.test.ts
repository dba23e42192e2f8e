import { afterEach, expect, test } from "bun:test"
import { testTime, until } from "../test-time.ts"
import { ConnectionLimits } from "../connection-limits.ts"
import { dialQuic } from "./dial-quic.ts"
import { H3_EXCESSIVE_LOAD } from "./quic-handlers.ts"
import type { QuicStream } from "./quic-stream.ts"
import type { UnreadBudget } from "./unread-meter.ts"
import {
  ask,
  dialTest,
  get,
  identity,
  post,
  serve,
  type StreamLog,
  type StreamPlan,
  TestIdentities,
  type TestServer,
  trusting,
} from "./quic.fixture.ts"

const tls = new TestIdentities(identity("a.test"))
const servers: TestServer[] = []

function start(plan: StreamPlan, options = {}): TestServer {
  const server = serve(tls, plan, options)
  servers.push(server)
  return server
}

afterEach(() => {
  for (const { at } of servers.splice(0)) at.close()
})

const chunk = new Uint8Array(50_000).fill(120)

/** Writes `total` octets, waiting for room; answers how many it has written so far. */
function pour(stream: QuicStream, log: StreamLog, total: number): { written: number } {
  const state = { written: 0 }
  const go = (): void => {
    while (state.written < total) {
      state.written += chunk.length
      if (!stream.write(chunk)) return
    }
    stream.end()
  }
  log.whenDrain = go
  go()
  return state
}

test("a writer is held when the peer's window is full, and goes on when it opens", async () => {
  const total = 20 * chunk.length * 10
  const { at } = start((stream, log) => {
    log.whenHeaders = () => {
      stream.sendHeaders([":status", "200"], "initial")
      pour(stream, log, total)
    }
  })
  const { connection } = await dialTest(at.port)
  const { log } = ask(connection!, get, true)
  log.keepText = false
  await until(() => log.closed !== "", "all of it")
  expect([log.bytes, log.ended, log.closed]).toEqual([total, true, "done"])
  connection!.close(0x100)
})

test("chunks of any size keep their order, also those given before the stream is made", async () => {
  const { at, connections } = start((stream, log) => {
    log.whenEnd = () => stream.sendHeaders([":status", "200"], "initial", true)
  })
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  let expected = ""
  const lent = Buffer.alloc(300_000)
  for (const size of [1, 300_000, 70_000, 3]) {
    const letter = String.fromCharCode(97 + (size % 26))
    lent.fill(letter)
    stream.write(lent.subarray(0, size))
    expected += letter.repeat(size)
  }
  stream.end()
  lent.fill("!")
  await until(() => log.closed !== "", "the exchange")
  expect(connections[0]!.streams[0]!.text === expected).toBe(true)
  connection!.close(0x100)
})

test("a paused reader gets nothing, and then all of it with its end", async () => {
  const { at, connections } = start((stream, log) => {
    log.whenHeaders = () => stream.pause()
    log.whenEnd = () => stream.sendHeaders([":status", "200"], "initial", true)
  })
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  const total = chunk.length * 20
  pour(stream, log, total)
  await until(() => connections[0]?.streams[0]?.events.length === 1, "the head")
  const upload = connections[0]!.streams[0]!
  await Bun.sleep(100)
  expect(upload.bytes).toBe(0)
  upload.keepText = false
  // Pauses again in the middle.
  const reader = [...(connections[0]!.connection as unknown as { streams: Set<QuicStream> }).streams][0]!
  upload.whenData = () => {
    if (upload.bytes > total / 2) reader.pause()
  }
  reader.resume()
  await until(() => upload.bytes > total / 2, "half of it")
  await Bun.sleep(20)
  expect(upload.bytes).toBeLessThan(total)
  upload.whenData = () => {}
  reader.resume()
  await until(() => log.closed === "done", "the rest")
  expect(upload.bytes).toBe(total)
  connection!.close(0x100)
})

test("what nobody reads has a limit, and other streams go on", async () => {
  const { at, connections } = start(
    (stream, log) => {
      log.whenHeaders = () => {
        if (log.field(":method") === "GET") stream.sendHeaders([":status", "200"], "initial", true)
        else stream.pause()
      }
    },
    // One turn brings more than this, sooner than a brake can help.
    { limits: { unreadBytesMax: 20_000 } },
  )
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  const state = pour(stream, log, 200_000_000)
  await until(() => log.closed !== "", "the end of it")
  expect(state.written).toBeLessThan(20_000_000)
  const upload = connections[0]!.streams[0]!
  await until(() => upload.closed !== "", "our side")
  expect([upload.closed, upload.bytes, upload.ended]).toEqual(["unread", 0, false])
  expect(log.resetCode).toBe(H3_EXCESSIVE_LOAD)
  const other = ask(connection!, get, true)
  await until(() => other.log.closed === "done", "another stream")
  connection!.close(0x100)
})

test("a slow reader gets a large body whole, and it does not pile up", async () => {
  let reader: QuicStream | null = null
  const { at, connections } = start(
    (stream, log) => {
      reader = stream
      log.keepText = false
      log.whenEnd = () => stream.sendHeaders([":status", "200"], "initial", true)
    },
    { limits: { unreadBytesMax: 4_000_000 } },
  )
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  const total = chunk.length * 400
  pour(stream, log, total)
  await until(() => reader !== null && connections[0]!.streams[0]!.bytes > 0, "the first of it")
  const { budget } = connections[0]!.connection!.unread as unknown as { budget: UnreadBudget }
  const upload = connections[0]!.streams[0]!
  let most = 0
  let allowed = 0
  upload.whenData = () => {
    most = Math.max(most, budget.bytes)
    if (upload.bytes >= allowed) reader!.pause()
  }
  // Forty portions of half a megabyte, each 20 ms behind the other.
  const timer = setInterval(() => {
    most = Math.max(most, budget.bytes)
    allowed = upload.bytes + 500_000
    reader!.resume()
  }, 20)
  await until(() => log.closed !== "", "all of it")
  clearInterval(timer)
  expect([log.closed, upload.bytes]).toEqual(["done", total])
  expect(most).toBeLessThan(4_000_000)
  connection!.close(0x100)
})

test("the same of a large answer, which is the dialer's to slow down", async () => {
  const total = chunk.length * 300
  const { at } = start((stream, log) => {
    log.whenHeaders = () => {
      stream.sendHeaders([":status", "200"], "initial")
      pour(stream, log, total)
    }
  })
  const { connection } = await dialTest(at.port, { limits: { unreadBytesMax: 4_000_000 } })
  const { stream, log } = ask(connection!, get, true)
  log.keepText = false
  const { budget } = connection!.unread as unknown as { budget: UnreadBudget }
  let most = 0
  let allowed = 0
  log.whenData = () => {
    if (log.bytes >= allowed) stream.pause()
  }
  const timer = setInterval(() => {
    most = Math.max(most, budget.bytes)
    allowed = log.bytes + 500_000
    stream.resume()
  }, 20)
  await until(() => log.closed !== "", "all of it")
  clearInterval(timer)
  expect([log.closed, log.bytes, log.ended]).toEqual(["done", total, true])
  expect(most).toBeLessThan(4_000_000)
  connection!.close(0x100)
})

test("the limit of a listener holds over all streams", async () => {
  const { at, connections } = start(
    (stream, log) => {
      log.whenHeaders = () => stream.pause()
    },
    { limits: { unreadBytesMax: 8_000_000, unreadTotalBytesMax: 1_000_000 } },
  )
  const { connection } = await dialTest(at.port)
  const uploads = Array.from({ length: 5 }, () => ask(connection!, post, false))
  for (const { stream, log } of uploads) pour(stream, log, 400_000)
  await until(() => connections[0]!.streams.filter(({ closed }) => closed === "unread").length >= 3, "three to be over it")
  expect(connections[0]!.streams.filter(({ closed }) => closed === "").length).toBe(2)
  connection!.close(0x100)
  const budget = (connections[0]!.connection!.unread as unknown as { budget: UnreadBudget }).budget
  await until(() => budget.bytes === 0, "the count to come back to nothing")
})

test("nobody answers: a time-out, or nothing after cancel", async () => {
  const started = performance.now()
  const { failure } = await dialTest(9, { timeoutMs: 300 })
  expect(failure).toStartWith("timeout: ")
  expect(performance.now() - started).toBeGreaterThan(250)
  const calls: string[] = []
  const handle = dialQuic(
    { host: "127.0.0.1", port: 9 },
    { time: testTime, tls: trusting, serverName: "a.test", timeoutMs: 50 },
    { onOpen: () => null, onFailed: kind => calls.push(kind) },
  )
  handle.cancel()
  handle.cancel()
  await Bun.sleep(120)
  expect(calls).toEqual([])
  expect((await dialTest(9, { timeoutMs: 50, serverName: "" })).failure).not.toBe("")
})

test("connections are counted, and one too many is refused", async () => {
  const options = { connectionsMax: 2, perClientMax: 0, workers: 1 }
  const memory = ConnectionLimits.share(options)
  const limits = new ConnectionLimits(memory, options, 0)
  const { at, refusals, connections } = start(() => {}, { connectionLimits: limits })
  const dialed = [await dialTest(at.port), await dialTest(at.port)]
  const third = await dialTest(at.port, { timeoutMs: 1000 })
  await until(() => third.connection === null || third.log.closed !== null, "the refusal")
  expect(refusals[0]).toBe("connectionsMax")
  for (const { connection } of dialed) connection!.close(0x100)
  await until(() => limits.open === 0, "the places to be free")
  expect(connections.length).toBe(2)
  const again = await dialTest(at.port)
  expect(again.failure).toBe("")
  again.connection!.close(0x100)
})

test("one client too many connections", async () => {
  const options = { connectionsMax: 0, perClientMax: 1, workers: 1 }
  const limits = new ConnectionLimits(ConnectionLimits.share(options), options, 0)
  const { at, refusals } = start(() => {}, { connectionLimits: limits })
  const first = await dialTest(at.port)
  const second = await dialTest(at.port, { timeoutMs: 1000 })
  await until(() => second.connection === null || second.log.closed !== null, "the refusal")
  expect(refusals).toEqual(["connectionsPerClientMax"])
  first.connection!.close(0x100)
  await until(() => limits.open === 0, "the place to be free")
  expect((await dialTest(at.port)).failure).toBe("")
})
