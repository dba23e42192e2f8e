import { createSocket } from "node:dgram"
import { connect } from "node:net"
import { afterAll, describe, expect, test } from "bun:test"
import { decodeMessage, type DnsMessage, encodeQuery } from "../../../src/net/resolve/dns-message.ts"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { until, within } from "../../support/wait.ts"

const A = 1
const AAAA = 28
const PTR = 12
const MX = 15
const HTTPS = 65

const [standIn, resolving] = (await freePorts(2)) as [number, number]
const server = await DnsServer.start()
server.say("two.test", { a: ["192.0.2.1", "192.0.2.2"], aaaa: ["2001:db8::1"] })
server.say("broken.test", { rcode: 2 })
afterAll(() => server.stop())
/** Answers every question with one MX record. */
const mails = createSocket("udp4")
mails.on("message", (query, sender) => {
  const end = query.indexOf(0, 12) + 5
  const record = [0xc0, 12, 0, MX, 0, 1, 0, 0, 0, 9, 0, 4, 0, 5, 0xc0, 12]
  mails.send(
    Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, ...query.subarray(12, end), ...record]),
    sender.port,
    sender.address,
  )
})
await new Promise<void>(resolve => mails.bind(0, "127.0.0.1", resolve))
afterAll(() => mails.close())
const proxy = await startBothways(
  {
    listeners: {
      names: { bind: `127.0.0.1:${standIn}`, dns: { answer: "stand-in", ttl: "7s", namesMax: 32 }, timeouts: { idle: "300ms" } },
      resolving: { bind: `127.0.0.1:${resolving}`, dns: { answer: "resolve", block: ["ads"] } },
    },
    routes: [],
    lists: { ads: { names: ["ads.test"] } },
    resolver: { servers: [server.address], attempts: 1, timeout: "300ms", domains: { "mail.test": [`127.0.0.1:${mails.address().port}`] } },
    observe: { metrics: {} },
  },
  { workers: 2 },
)
afterAll(() => proxy.stop())

const socket = createSocket("udp4").setMaxListeners(200)
afterAll(() => socket.close())

/** Asks over UDP; null = no answer came. */
async function ask(port: number, query: Uint8Array, ms = 2000): Promise<Buffer | null> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const id = query[0]! * 256 + (query[1] ?? 0)
  const listen = (bytes: Buffer): void => {
    if (bytes.readUInt16BE(0) === id) resolve(bytes)
  }
  socket.on("message", listen)
  socket.send(query, port, "127.0.0.1")
  const answer = await within(promise, ms, () => "an answer").catch(() => null)
  socket.off("message", listen)
  return answer
}

let id = 1

async function look(port: number, name: string, type: number): Promise<DnsMessage> {
  const answer = await ask(port, encodeQuery(id++, name, type, true))
  const message = decodeMessage(answer!)
  if (typeof message === "string") throw new Error(message)
  return message
}

describe("a listener that answers DNS", () => {
  test("gives each name one address, over all workers, and the name of an address", async () => {
    const first = await look(standIn, "Site.Test", A)
    expect(first).toMatchObject({ rcode: 0, questions: [{ name: "site.test" }], answers: [{ name: "site.test", type: A, ttl: 7 }] })
    const { value } = first.answers[0]!
    expect(value).toStartWith("198.18.")
    for (let i = 0; i < 10; i++) expect((await look(standIn, "site.test", A)).answers[0]!.value).toBe(value)
    expect((await look(standIn, "other.test", A)).answers[0]!.value).not.toBe(value)
    const reverse = await look(standIn, `${value.split(".").reverse().join(".")}.in-addr.arpa`, PTR)
    expect(reverse).toMatchObject({ rcode: 0, answers: [{ type: PTR, ttl: 7 }] })
  })

  test("has nothing else to say of names, and nothing at all of some", async () => {
    for (const type of [AAAA, HTTPS, 15, 255]) expect(await look(standIn, "site.test", type)).toMatchObject({ rcode: 0, answers: [] })
    for (const name of ["use-application-dns.net", "mask.icloud.com", "a.invalid", "printer.local", "9.9.9.9.in-addr.arpa"])
      expect([name, await look(standIn, name, A)]).toMatchObject([name, { rcode: 3, answers: [] }])
    expect(await look(standIn, "localhost", A)).toMatchObject({ answers: [{ value: "127.0.0.1" }] })
    expect(await look(standIn, "secret.onion", A)).toMatchObject({ rcode: 0, answers: [{ type: A }] })
  })

  test("has the whole over TCP, one message behind the other, in pieces of an octet", async () => {
    const client = connect(standIn, "127.0.0.1")
    const received: Buffer[] = []
    client.on("data", chunk => received.push(chunk as Buffer))
    const closed = new Promise(resolve => client.once("close", resolve))
    const queries = ["a.test", "b.test"].map((name, i) => encodeQuery(500 + i, name, A, false))
    const octets = Buffer.concat(queries.flatMap(query => [Uint8Array.of(0, query.length), query]))
    for (const octet of octets) client.write(Uint8Array.of(octet))
    await until(() => Buffer.concat(received).length >= 2 * (2 + 12 + 12 + 16))
    const all = Buffer.concat(received)
    const length = all.readUInt16BE(0)
    expect(decodeMessage(all.subarray(2, 2 + length))).toMatchObject({ id: 500, answers: [{ name: "a.test" }] })
    expect(decodeMessage(all.subarray(4 + length))).toMatchObject({ id: 501, answers: [{ name: "b.test" }] })
    // Who is silent is not kept.
    await within(closed, 3000, () => "the end of the connection")
  })

  test("a message that is too long or empty ends a connection, one that is no query gets no answer", async () => {
    for (const start of [
      [0xff, 0xff],
      [0, 0],
    ]) {
      const client = connect(standIn, "127.0.0.1")
      client.on("error", () => {}).on("data", () => {})
      client.write(Uint8Array.from(start))
      await within(new Promise(resolve => client.once("close", resolve)), 3000, () => "the end of the connection")
    }
    expect(await ask(standIn, Uint8Array.of(9, 9, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0), 100)).toBe(null)
    expect(await ask(standIn, Uint8Array.of(9, 9, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0))).toEqual(Buffer.of(9, 9, 0xa8, 4, 0, 0, 0, 0, 0, 0, 0, 0))
  })

  test("resolves names with our own resolver where it is told to", async () => {
    expect(await look(resolving, "localhost", AAAA)).toMatchObject({ answers: [{ type: AAAA, value: "::1" }] })
    expect(await look(resolving, "a.invalid", A)).toMatchObject({ rcode: 3 })
    expect((await look(resolving, "two.test", A)).answers.map(({ value }) => value)).toEqual(["192.0.2.1", "192.0.2.2"])
    expect((await look(resolving, "two.test", AAAA)).answers.map(({ value }) => value)).toEqual(["2001:db8::1"])
    expect(server.queries.filter(({ name }) => name === "two.test").length).toBeLessThanOrEqual(4)
    expect(await look(resolving, "nowhere.test", A)).toMatchObject({ rcode: 3, answers: [] })
    expect(await look(resolving, "broken.test", A)).toMatchObject({ rcode: 2, answers: [] })
    // Other types go to the servers as they are; PTR of inner addresses goes nowhere.
    const mail = await look(resolving, "Mail.Test", MX)
    expect(mail).toMatchObject({ rcode: 0, questions: [{ name: "mail.test", type: MX }], answers: [{ name: "mail.test", type: MX, ttl: 9 }] })
    expect(await look(resolving, "1.0.0.10.in-addr.arpa", PTR)).toMatchObject({ rcode: 3 })
    expect(await look(resolving, "x.ads.test", A)).toMatchObject({ rcode: 3 })
    expect(await until(() => proxy.log().find(line => line["host"] === "x.ads.test"))).toMatchObject({ action: "block", status: 404 })
    expect(await look(resolving, "site.test", HTTPS)).toMatchObject({ rcode: 0, answers: [] })
  })

  test("when all places are in use, new names get none, and that is counted and logged", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => look(standIn, `many${i}.test`, A)))
    const failed = answers.filter(({ rcode }) => rcode === 2).length
    expect(failed).toBeGreaterThanOrEqual(68)
    const metrics = await scrape(proxy)
    expect(metrics.get('bothways_dns_names_refused_total{listener="names"}')).toBe(failed)
    expect(await until(() => proxy.log().find(line => line["listener"] === "names" && line["status"] === 502))).toMatchObject({
      method: "DNS",
      target: "A",
    })
  })
})
