import { afterEach, expect, test } from "bun:test"
import { until } from "../test-time.ts"
import { H3_REQUEST_REJECTED } from "./quic-handlers.ts"
import { ask, bytesOf, dialTest, get, identity, post, serve, type StreamPlan, TestIdentities, type TestServer } from "./quic.fixture.ts"

const tls = new TestIdentities(identity("a.test"))
let server: TestServer | null = null

function start(plan: StreamPlan, options = {}): TestServer {
  server = serve(tls, plan, options)
  return server
}

afterEach(() => {
  server?.at.close()
  server = null
})

const answer: StreamPlan = (stream, log) => {
  log.whenEnd = () => {
    stream.sendHeaders([":status", "200", "x-path", log.field(":path")!], "initial")
    stream.write(bytesOf(`got ${log.text}`))
    stream.end()
  }
}

test("a request and its answer, with who is who", async () => {
  const { at, connections } = start(answer)
  const { connection, log: client } = await dialTest(at.port)
  const { log } = ask(connection!, [...post, "x-b", "1", "set-cookie", "a=1", "set-cookie", "b=2"], false)
  const sent = ask(connection!, post, false)
  sent.stream.write(bytesOf("hello"))
  sent.stream.end()
  await until(() => sent.log.closed !== "", "the exchange")
  expect(sent.log.events).toEqual(["initial", "data", "end", "close"])
  expect(sent.log.text).toBe("got hello")
  expect(sent.log.closed).toBe("done")
  expect(connections[0]!.streams[0]!.sections[0]![1]).toEqual([...post, "x-b", "1", "set-cookie", "a=1", "set-cookie", "b=2"])
  expect(connections[0]!.streams[1]!.events).toEqual(["initial", "data", "end", "close"])
  expect(log.events).toEqual([])
  const { facts } = connections[0]!.connection!
  expect(facts).toMatchObject({
    remoteAddress: "127.0.0.1",
    serverName: "a.test",
    alpn: "h3",
    tlsVersion: "TLSv1.3",
    localPort: at.port,
    earlyData: false,
  })
  expect(facts.remotePort).toBe(connection!.facts.localPort)
  expect(connection!.peerStreamsMax).toBe(100)
  connection!.close(0x102, "enough")
  await until(() => client.closed !== null && connections[0]!.closed !== null, "both ends")
  expect(connections[0]!.closed).toContain("enough")
  expect([connections[0]!.streams[0]!.closed, connections[0]!.streams[0]!.ended]).toEqual(["reset", false])
  expect(log.closed).toBe("connection")
})

test("informational headers, trailers both ways, and values as they came", async () => {
  const { at, connections } = start((stream, log) => {
    log.whenEnd = () => {
      stream.sendHeaders([":status", "103", "link", "</a>"], "informational")
      stream.sendHeaders([":status", "200", "x", "caf\u00e9"], "initial")
      stream.write(bytesOf("body"))
      stream.sendHeaders(["x-sum", "2"], "trailing")
    }
  })
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  stream.write(bytesOf("body"))
  stream.sendHeaders(["x-sum", "1"], "trailing")
  await until(() => log.closed !== "", "the exchange")
  expect(connections[0]!.streams[0]!.events).toEqual(["initial", "data", "trailing", "end", "close"])
  expect(connections[0]!.streams[0]!.field("x-sum", 1)).toBe("1")
  expect(log.events).toEqual(["informational", "initial", "data", "trailing", "end", "close"])
  expect(log.field("x", 1)).toBe("caf\u00e9")
  expect(log.field("x-sum", 2)).toBe("2")
  connection!.close(0x100)
})

test("an answer without a body, and a header section that is too much to send", async () => {
  const many = [":status", "200"]
  for (let i = 0; i < 128; i++) many.push(`x-${i}`, "v")
  const sent: boolean[] = []
  const { at } = start(stream => {
    sent.push(stream.sendHeaders(many, "initial", true))
    stream.sendHeaders([":status", "204"], "initial", true)
  })
  const { connection } = await dialTest(at.port)
  const { log } = ask(connection!, get, true)
  await until(() => log.closed !== "", "the exchange")
  expect(sent).toEqual([false])
  expect(log.sections).toEqual([["initial", [":status", "204"]]])
  expect(log.events).toEqual(["initial", "end", "close"])
  connection!.close(0x100)
})

test("fields that may stand once only are joined, the others are kept apart", async () => {
  const { at } = start(stream => {
    stream.sendHeaders([":status", "200", "age", "1", "via", "a", "age", "2", "via", "b"], "initial", true)
  })
  const { connection } = await dialTest(at.port)
  const { log } = ask(connection!, get, true)
  await until(() => log.closed !== "", "the exchange")
  expect(log.sections[0]![1]).toEqual([":status", "200", "age", "1, 2", "via", "a", "via", "b"])
  connection!.close(0x100)
})

test("resets and their codes, both ways", async () => {
  const { at, connections } = start((stream, log) => {
    const path = (): string => log.field(":path")!
    log.whenHeaders = () => {
      if (path() === "/reset") stream.abort(0x102)
      else if (path() === "/stop") stream.stopSending(0x100)
      else stream.sendHeaders([":status", "200"], "initial")
      if (path() === "/stop") stream.sendHeaders([":status", "413"], "initial", true)
    }
    log.whenData = () => {
      if (path() === "/mid") stream.reset(0x10c)
    }
  })
  const { connection } = await dialTest(at.port)
  const to = (path: string): readonly string[] => [...post.slice(0, -1), path]

  const refused = ask(connection!, to("/reset"), false)
  await until(() => refused.log.closed !== "", "the reset")
  expect([refused.log.resetCode, refused.log.closed, refused.log.ended]).toEqual([0x102, "reset", false])

  const stopped = ask(connection!, to("/stop"), false)
  await until(() => stopped.log.ended, "an early answer")
  stopped.stream.write(bytesOf("more"))
  await until(() => stopped.log.stopped, "that no more is wanted")

  const middle = ask(connection!, to("/mid"), false)
  await until(() => middle.log.events.length > 0, "the head")
  middle.stream.write(bytesOf("x"))
  await until(() => middle.log.resetCode === 0x10c, "the reset in the middle")
  middle.stream.abort(0x10c)

  const cancelled = ask(connection!, to("/"), true)
  await until(() => cancelled.log.events.length > 0, "the head")
  cancelled.stream.stopSending(0x10c)
  const seen = connections[0]!.streams.at(-1)!
  await until(() => seen.closed !== "", "the cancelled download")
  expect([seen.stopped, seen.closed, seen.ended]).toEqual([true, "reset", true])

  const uploading = ask(connection!, to("/"), false)
  await until(() => uploading.log.events.length > 0, "the head")
  uploading.stream.abort(0x10c)
  const upload = connections[0]!.streams.at(-1)!
  await until(() => upload.closed !== "", "the cancelled upload")
  expect([upload.resetCode, upload.closed, upload.ended]).toEqual([0x10c, "reset", false])
  await until(() => uploading.log.closed === "reset", "our own end")
  connection!.close(0x100)
})

test("a stream that nobody wants is refused, and the connection goes on", async () => {
  const { at, connections } = start(answer)
  const { connection } = await dialTest(at.port)
  await until(() => connections.length === 1, "the connection")
  connections[0]!.accepts = false
  const refused = ask(connection!, get, true)
  await until(() => refused.log.closed !== "", "the refusal")
  expect(refused.log.resetCode).toBe(H3_REQUEST_REJECTED)
  connections[0]!.accepts = true
  const { log } = ask(connection!, get, true)
  await until(() => log.closed === "done", "the next one")
  connection!.close(0x100)
})

test("GOAWAY lets open streams end and opens no more", async () => {
  const { at, connections } = start((stream, log) => {
    log.whenHeaders = () => stream.sendHeaders([":status", "200"], "initial")
    log.whenEnd = () => stream.end()
  })
  const { connection, log: client } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  await until(() => log.events.length > 0, "the head")
  at.drain()
  await until(() => client.goneAway, "GOAWAY")
  expect(connection!.isOpen).toBe(false)
  const late = ask(connection!, get, true)
  await until(() => late.log.closed === "connection", "the late one")
  stream.write(bytesOf("rest"))
  stream.end()
  await until(() => log.closed === "done", "the open one")
  await until(() => client.closed === "" && connections[0]!.closed === "", "the connection")
})

test("a connection that dies in the middle of a body does not end the body", async () => {
  const { at, connections } = start((stream, log) => {
    log.whenHeaders = () => {
      stream.sendHeaders([":status", "200"], "initial")
      stream.write(bytesOf("half"))
    }
  })
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  stream.write(bytesOf("half"))
  await until(() => log.bytes === 4 && connections[0]!.streams[0]!.bytes === 4, "the halves")
  connection!.close(0x102)
  await until(() => connections[0]!.streams[0]!.closed !== "" && log.closed !== "", "both ends")
  expect([log.ended, log.closed]).toEqual([false, "connection"])
  expect([connections[0]!.streams[0]!.ended, connections[0]!.streams[0]!.closed]).toEqual([false, "reset"])
})

test("a peer that falls silent in the middle of a body does not end it either", async () => {
  const { at, connections } = start(
    (stream, log) => {
      log.whenHeaders = () => stream.sendHeaders([":status", "200"], "initial")
    },
    { limits: { idleMs: 1000 } },
  )
  const { connection } = await dialTest(at.port)
  const { stream, log } = ask(connection!, post, false)
  stream.write(bytesOf("half"))
  await until(() => log.events.length > 0 && connections[0]!.streams[0]!.bytes === 4, "the head and the half")
  // What a machine does that loses its power: the runtime closes without a packet.
  const { native } = connection as unknown as { native: { destroy(): void } }
  native.destroy()
  await until(() => connections[0]!.closed !== null, "the idle time-out")
  expect([connections[0]!.streams[0]!.ended, connections[0]!.streams[0]!.bytes]).toEqual([false, 4])
  expect(connections[0]!.streams[0]!.closed).not.toBe("done")
})

test("datagrams, both ways", async () => {
  const { at, connections } = start(answer)
  const { connection, log } = await dialTest(at.port)
  await until(() => connections.length === 1, "the connection")
  const asked = ask(connection!, get, true)
  await until(() => asked.log.closed !== "", "the settings, which come with the first answer")
  expect(connection!.sendDatagram(bytesOf("\0\0there"))).toBe(true)
  expect(connection!.sendDatagram(new Uint8Array(2000))).toBe(false)
  await until(() => connections[0]!.datagrams.length === 1, "the datagram")
  expect(connections[0]!.connection!.sendDatagram(bytesOf("\0\0back"))).toBe(true)
  await until(() => log.datagrams.length === 1, "its answer")
  expect([connections[0]!.datagrams, log.datagrams]).toEqual([["\0\0there"], ["\0\0back"]])
  connection!.close(0x100)
})

test("streams that wait for their turn say so, and end when they are given up", async () => {
  const { at } = start(() => {}, { limits: { streamsMax: 5 } })
  const { connection } = await dialTest(at.port)
  const asked = Array.from({ length: 8 }, () => ask(connection!, get, true))
  await until(() => asked.filter(({ stream }) => stream.isWaiting).length === 3, "three that wait")
  for (const { stream } of asked) stream.abort(0x10c)
  await until(() => asked.every(({ log }) => log.closed === "reset"), "their ends")
  connection!.close(0x100)
})
