import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { bulkHash, BulkSink, BulkSource, MemoryWatch } from "../../support/bulk.ts"
import { errorCode } from "../../support/h2/frames.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { recorder } from "../../support/recorder.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// A forward proxy's clients on one connection: CONNECT (RFC 9113 section 8.5) and plain requests.
const MB = 1024 * 1024
const [port, guarded] = (await freePorts(2)) as [number, number]
const echo = async (connection: RawSocket): Promise<void> => {
  connection.socket.on("data", (chunk: Buffer) => connection.send(chunk))
  await connection.toEnd(3_600_000)
  connection.fin()
}
let script = echo
const target = await scriptedServer(connection => script(connection))
const site = await recorder()
const forward = { privateRanges: "allow", connectPorts: [target.port], ports: [site.port] }
const users = join(temporaryFolder("users"), "htpasswd")
// "u" with the password "p".
writeFileSync(users, `u:{SHA}${createHash("sha1").update("p").digest("base64")}\n`)
const proxy = await startBothways({
  listeners: {
    fwd: { bind: `127.0.0.1:${port}`, forward },
    guarded: { bind: `127.0.0.1:${guarded}`, forward: { ...forward, auth: { htpasswd: users } } },
  },
  routes: [{ match: {}, to: { origin: {} } }],
})
afterAll(async () => {
  await proxy.stop()
  await target.close().catch(() => {})
  await site[Symbol.asyncDispose]()
})
beforeEach(() => {
  script = echo
})

const connect = (client: RawH2Client, authority = target.address, more: [string, string][] = []): number =>
  client.request([[":method", "CONNECT"], [":authority", authority], ...more], { end: false })
async function open(client: RawH2Client): Promise<[id: number, connection: RawSocket]> {
  const before = target.connections.length
  const id = connect(client)
  expect((await client.head(id)).status).toBe(200)
  return [id, await until(() => target.connections[before])]
}

describe("CONNECT", () => {
  test("octets go both ways, and ends both ways", async () => {
    using client = await rawH2Client(port)
    const id = connect(client)
    const { headers } = await client.head(id)
    expect([headers[":status"], headers["content-length"], headers["transfer-encoding"]]).toEqual(["200", undefined, undefined])
    client.data(id, "one")
    expect(await client.body(id, 3)).toBe("one")
    client.data(id, "\0\r\n\xff", { end: true })
    const { body, ended, resetCode } = await client.response(id)
    expect([body, ended, resetCode]).toEqual(["one\0\r\n\xff", true, null])
    await until(() => proxy.log().some(line => line.method === "CONNECT" && line.version === "2.0" && line.status === 200))
  })
  test("what is sent ahead of the answer arrives behind it", async () => {
    using client = await rawH2Client(port)
    const id = connect(client)
    client.data(id, "early", { end: true })
    const { body, ended } = await client.response(id)
    expect([body, ended]).toEqual(["early", true])
  })
  test("fifty at the same time on one connection, each its own", async () => {
    using client = await rawH2Client(port)
    const ids = Array.from({ length: 50 }, () => connect(client))
    for (const id of ids) client.data(id, `${id} `.repeat(100))
    for (const id of ids) expect(await client.body(id, `${id} `.length * 100)).toBe(`${id} `.repeat(100))
    for (const id of ids) client.data(id, "", { end: true })
    for (const id of ids) expect((await client.response(id)).ended).toBe(true)
    expect(client.violations).toEqual([])
  })
  test("the client's reset reaches the target, the target's reset the client", async () => {
    using client = await rawH2Client(port)
    const [id, connection] = await open(client)
    client.reset(id)
    expect(await connection.ended()).not.toBe("open")
    const [other, second] = await open(client)
    second.reset()
    expect(await client.resetOf(other)).toBe(errorCode.connectError)
  })
  test("half closes: the target's end, then still octets of the client", async () => {
    script = async connection => {
      connection.send("bye")
      connection.fin()
      expect(await connection.toEnd()).toBe("and you")
    }
    using client = await rawH2Client(port)
    const id = connect(client)
    const { body, ended } = await client.response(id)
    expect([body, ended]).toEqual(["bye", true])
    client.data(id, "and you", { end: true })
    await until(() => target.connections.at(-1)!.received === "and you")
    expect(target.failures).toEqual([])
  })
  test("a client that does not take, and a target that does not: both are held back, another tunnel is not", async () => {
    using client = await rawH2Client(port, { updateWindows: false })
    client.windowUpdate(0, 2 ** 30)
    script = async connection => {
      await new BulkSource(connection.socket, 64 * MB).run()
    }
    using watch = new MemoryWatch(proxy.pid)
    const before = watch.look()
    const stuck = connect(client)
    await client.body(stuck, 65_535)
    script = async connection => {
      connection.pause()
    }
    const deaf = connect(client)
    await client.head(deaf)
    void client.upload(deaf, Buffer.alloc(32 * MB))
    script = echo
    const [id] = await open(client)
    client.data(id, "hello")
    expect(await client.body(id, 5)).toBe("hello")
    expect(client.stream(stuck).bodyLength).toBe(65_535)
    await until(() => client.queue.window(deaf) === 0)
    watch.look()
    expect((watch.peak - before) / MB).toBeLessThan(32)
    client.reset(deaf)
    client.reset(stuck)
  })
  test("16 MB each way, octet for octet", async () => {
    using client = await rawH2Client(port)
    let sink: BulkSink | undefined
    script = async connection => {
      sink = new BulkSink(connection.socket)
      connection.socket.on("data", (chunk: Buffer) => sink!.take(chunk))
      await new BulkSource(connection.socket, 16 * MB).run()
      await connection.toEnd(20_000)
      connection.fin()
    }
    const id = connect(client)
    await client.head(id)
    const bytes = Buffer.alloc(16 * MB, "0123456789abcdef")
    await client.upload(id, bytes)
    const { body, ended } = await client.response(id, 20_000)
    expect([body.length, ended]).toEqual([16 * MB, true])
    expect(createHash("sha256").update(body, "latin1").digest("hex")).toBe(bulkHash(16 * MB))
    expect(sink!.digest()).toBe(createHash("sha256").update(bytes).digest("hex"))
  }, 30_000)
  test("O-49: refused with a status, and the connection goes on", async () => {
    using client = await rawH2Client(port)
    for (const [authority, status] of [
      ["127.0.0.1:25", 403],
      [`127.0.0.1:${port}`, 508],
      ["a.test", 400],
      ["127.0.0.1:0", 400],
      ["127.0.0.1:65536", 400],
      ["127.0.0.1:", 400],
      [`u@${target.address}`, 400],
      [`${target.address}/x`, 400],
    ] as const)
      expect([authority, (await client.response(connect(client, authority))).status]).toEqual([authority, status])
    const [id] = await open(client)
    client.data(id, "x", { end: true })
    expect((await client.response(id)).body).toBe("x")
  })
  test("content-length, :path or :scheme make it malformed", async () => {
    using client = await rawH2Client(port)
    for (const more of [
      ["content-length", "5"],
      [":path", "/"],
      [":scheme", "https"],
    ] as [string, string][]) {
      const pseudo = more[0].startsWith(":")
      const fields: [string, string][] = [[":method", "CONNECT"], [":authority", target.address], more]
      expect([more, await client.resetOf(client.request(fields, { end: false }))]).toEqual([more, errorCode.protocolError])
      expect(pseudo || more[0] === "content-length").toBe(true)
    }
  })
})

describe("plain requests", () => {
  const get = (client: RawH2Client, more: Record<string, string | undefined> = {}) =>
    client.response(client.request({ ":authority": site.address, ":path": "/a?b=c", ...more }))
  test("go to the origin that they name, in origin-form", async () => {
    using client = await rawH2Client(port)
    const { status, body } = await get(client, { "proxy-authorization": "Basic dTpw", "x-a": "1" })
    expect([status, body]).toEqual([200, "ok"])
    const seen = site.requests.at(-1)!
    expect([seen.start, seen.fields.host, seen.fields["x-a"], seen.fields["proxy-authorization"]]).toEqual([
      "GET /a?b=c HTTP/1.1",
      site.address,
      "1",
      undefined,
    ])
  })
  test("a port that is not open: 403; a scheme that is none: 400", async () => {
    using client = await rawH2Client(port)
    expect((await get(client, { ":authority": "127.0.0.1:25" })).status).toBe(403)
    expect((await get(client, { ":scheme": "ftp" })).status).toBe(400)
  })
})

describe("O-48: who asks", () => {
  const right = "Basic dTpw"
  test("407 with a challenge, and the connection goes on", async () => {
    using client = await rawH2Client(guarded)
    const refused = await client.response(connect(client))
    expect([refused.status, refused.headers["proxy-authenticate"]?.startsWith("Basic realm=")]).toEqual([407, true])
    const plain = await client.response(client.request({ ":authority": site.address }))
    expect(plain.status).toBe(407)
    const id = connect(client, target.address, [["proxy-authorization", right]])
    expect((await client.head(id)).status).toBe(200)
    client.data(id, "in", { end: true })
    expect((await client.response(id)).body).toBe("in")
    expect((await client.response(client.request({ ":authority": site.address, "proxy-authorization": right }))).status).toBe(200)
    expect(site.requests.at(-1)!.fields["proxy-authorization"]).toBeUndefined()
  })

  test("five wrong passwords are enough for one connection, whatever streams they come over", async () => {
    using client = await rawH2Client(guarded)
    const wrong = { ":authority": site.address, "proxy-authorization": `Basic ${Buffer.from("u:no").toString("base64")}` }
    for (let i = 0; i < 5; i++) expect((await client.response(client.request(wrong))).status).toBe(407)
    await client.goneAway()
    await until(() => proxy.log().some(line => line.fault === "proxy.auth-repeated"))
  })
})
