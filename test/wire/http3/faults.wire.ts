import { afterAll, describe, expect, test } from "bun:test"
import { type LogLine, startBothways } from "../../support/bothways.ts"
import { gtlsClient } from "../../support/h3/gtls-client.ts"
import type { Field } from "../../support/h2/header-block.ts"
import { type RawH3Client, rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// What is refused, cut and given up over HTTP/3 (RFC 9114 section 4.1.2 and 4.1.1).
const H3_INTERNAL_ERROR = 0x102
const H3_REQUEST_CANCELLED = 0x10c
const H3_MESSAGE_ERROR = 0x10e
const port = await freePort()
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    const path = head.split(" ")[1]!
    if (path === "/ok") connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    else if (path === "/half") {
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
      connection.fin()
      return
    } else if (path === "/half-chunked") {
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
      connection.fin()
      return
    } else if (path === "/half-reset") {
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
      await connection.through("now", 3_600_000).catch(() => {})
      connection.reset()
      return
    } else if (path === "/stall") connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
  }
})
const limits = { headBytesMax: "4KB", fieldsMax: 50, targetBytesMax: 1000, bodyBytesMax: 1000 }
const proxy = await startBothways(http3Config(port, upstream.address, { listener: { limits, timeouts: { body: "300ms" } } }))
const client = await rawH3Client(port)
afterAll(async () => {
  client.destroy()
  await proxy.stop()
  await upstream.close().catch(() => {})
})

const pseudo: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":authority", "a.test"],
  [":path", "/ok"],
]
const without = (name: string): Field[] => pseudo.filter(([each]) => each !== name)
const logged = (found: (line: LogLine) => boolean) => until(() => proxy.log().find(found), undefined, "the line in the log")

describe("no message: H3_MESSAGE_ERROR, and nothing at the upstream", () => {
  const malformed: Record<string, Field[]> = {
    "no :method": without(":method"),
    "no :scheme": without(":scheme"),
    "no :path": without(":path"),
    "an empty :path": [...without(":path"), [":path", ""]],
    "a blank in :path": [...without(":path"), [":path", "/a b"]],
    "a blank in :method": [...without(":method"), [":method", "GET /x"]],
    ":status": [...pseudo, [":status", "200"]],
    "CR and LF in a value": [...pseudo, ["x-evil", "1\r\nx-more: 2"]],
    "LF in a value": [...pseudo, ["x-evil", "1\nx-more: 2"]],
    "CR in a value": [...pseudo, ["x-evil", "1\r2"]],
    "LF in :path": [...without(":path"), [":path", "/ok\nx: 1"]],
    "LF in :authority": [...without(":authority"), [":authority", "a.test\nx: 1"]],
    "another Host": [...pseudo, ["host", "b.test"]],
    "a content-length that is none": [...pseudo, ["content-length", "-1"]],
    "CONNECT with a path": [...without(":method"), [":method", "CONNECT"]],
  }
  for (const [name, fields] of Object.entries(malformed)) {
    test(name, async () => {
      const before = upstream.received.length
      using other = await rawH3Client(port)
      const stream = other.request(fields)
      await until(() => stream.resetCode !== null || other.closed !== null)
      if (other.closed === null) expect(stream.resetCode).toBe(H3_MESSAGE_ERROR)
      // The runtime has a word in some of them, and ends all of the connection.
      else expect(other.closed).toContain(String(H3_MESSAGE_ERROR))
      expect([stream.fields, upstream.received.length]).toEqual([null, before])
    })
  }
  test("a method that is none, from another client", async () => {
    const { statuses, text } = await gtlsClient(port, ["/ok"], { method: "GET X" })
    expect(statuses).toEqual([])
    expect(text).toContain("closed with error code 270")
  })
  test("the connection goes on", async () => {
    client.request(without(":method"))
    expect(await client.request({ ":path": "/ok" }).response()).toMatchObject({ status: 200, body: "ok" })
    await logged(line => line["fault"] === "client.malformed" && line["version"] === "3.0")
  })
})

describe("a body that is not as long as it was said to be: a reset, and no whole request at the upstream", () => {
  for (const [name, body, length] of [
    ["shorter", "abc", 4],
    ["longer", "abcde", 4],
    ["none", "", 4],
  ] as const) {
    test(name, async () => {
      using other = await rawH3Client(port)
      const path = `/length-${name}`
      const stream = other.request({ ":method": "POST", ":path": path, "content-length": String(length) }, { body })
      await until(() => stream.resetCode !== null || other.closed !== null)
      const reached = upstream.connections.filter(one => one.received.includes(path))
      for (const one of reached) await until(() => one.ending !== "open")
      expect(reached.some(one => one.received.includes("abcd"))).toBe(false)
    })
  }
})

describe("refused with an answer", () => {
  test("431: too many octets, too many fields", async () => {
    expect((await client.request({ ":path": "/ok", "x-long": "x".repeat(5000) }).response()).status).toBe(431)
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x-${i}`, "1"]))
    expect((await client.request({ ":path": "/ok", ...many }).response()).status).toBe(431)
  })
  test("414", async () => {
    expect((await client.request({ ":path": `/${"x".repeat(1000)}` }).response()).status).toBe(414)
  })
  test("413: by the length that is said, and by what comes", async () => {
    const said = client.request({ ":method": "POST", ":path": "/ok", "content-length": "5000" }, { end: false })
    expect(await said.response()).toMatchObject({ status: 413, ended: true })
    const unsaid = client.request({ ":method": "POST", ":path": "/up" }, { end: false })
    void unsaid.data("x".repeat(1500))
    expect((await unsaid.response()).status).toBe(413)
  })
  test("408: a body that stops", async () => {
    const stream = client.request({ ":method": "POST", ":path": "/up", "content-length": "10" }, { end: false })
    void stream.data("x")
    expect((await stream.response()).status).toBe(408)
    await logged(line => line["fault"] === "client.body-timeout")
  })
  test("400: no authority", async () => {
    expect((await client.request(without(":authority")).response()).status).toBe(400)
  })
  test("the connection goes on", async () => {
    expect(await client.request({ ":path": "/ok" }).response()).toMatchObject({ status: 200, body: "ok" })
  })
})

describe("an answer that is cut: RESET_STREAM, never an end", () => {
  for (const path of ["/half", "/half-chunked"]) {
    test(path, async () => {
      const stream = client.request({ ":path": path })
      // The reset may overtake the head.
      expect(await stream.response()).toMatchObject({ ended: false, resetCode: H3_INTERNAL_ERROR })
      await logged(line => line["target"] === path && line["fault"] === "upstream.truncated")
    })
  }
  test("half of it is there before", async () => {
    const stream = client.request({ ":method": "POST", ":path": "/half-reset" }, { end: false })
    expect(await stream.octets(4)).toBe("half")
    await stream.data("now")
    expect(await stream.resetCame()).toBe(H3_INTERNAL_ERROR)
    expect(stream.ended).toBe(false)
  })
})

describe("a client that gives up", () => {
  const held = async (path: string) => until(() => upstream.connections.findLast(one => one.ending === "open" && one.received.includes(` ${path} `)))
  test("a reset reaches the upstream at once: before the head, in the middle of the answer, of the upload", async () => {
    for (let i = 0; i < 5; i++) {
      const waits = client.request({ ":path": `/wait-${i}` })
      const up = await held(`/wait-${i}`)
      const at = performance.now()
      waits.reset(H3_REQUEST_CANCELLED)
      await up.ended()
      expect(performance.now() - at).toBeLessThan(200)
    }
    const reads = client.request({ ":path": "/stall" })
    await reads.octets(4)
    const answering = await held("/stall")
    reads.reset(H3_REQUEST_CANCELLED)
    await answering.ended()
    const sends = client.request({ ":method": "POST", ":path": "/up-cut" }, { end: false })
    await sends.data("abc")
    const receiving = await held("/up-cut")
    sends.reset(H3_REQUEST_CANCELLED)
    await receiving.ended()
    expect(receiving.received).not.toContain("\r\n0\r\n")
    const line = await logged(each => each["target"] === "/wait-0")
    expect(line).toMatchObject({ status: 499, fault: "client.aborted", version: "3.0" })
    await logged(each => each["target"] === "/stall" && each["fault"] === "client.aborted")
  })
  test("the end of the connection ends all that was under way", async () => {
    const other: RawH3Client = await rawH3Client(port)
    for (let i = 0; i < 10; i++) other.request({ ":path": `/gone-${i}` })
    const open = () => upstream.connections.filter(one => one.ending === "open" && one.received.includes("/gone-")).length
    await until(() => open() === 10)
    other.destroy()
    await until(() => open() === 0)
    await until(() => proxy.log().filter(line => String(line["target"]).startsWith("/gone-") && line["status"] === 499).length === 10)
  })
})
