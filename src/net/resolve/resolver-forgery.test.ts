import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { createSocket } from "node:dgram"
import { TYPE_A, TYPE_CNAME } from "./dns-message.ts"
import { type DnsServer, encodeAnswer, encodeName, encodeRecord } from "./dns-server.fixture.ts"
import { ResolverBench } from "./resolver.fixture.ts"

let bench: ResolverBench
let server: DnsServer

beforeAll(async () => {
  bench = await ResolverBench.start()
  server = bench.server
})

afterEach(() => bench.closeAll())
afterAll(() => server.stop())

describe("forged answers", () => {
  const evil = (query: Uint8Array, name: string) =>
    encodeAnswer(query, { flags: 0x8180, answers: [encodeRecord(name, TYPE_A, 60, Uint8Array.of(6, 6, 6, 6))], authorities: [] })

  test("another id, another question, a query instead of an answer and noise are passed over", async () => {
    const name = bench.fresh()
    server.say(name, {
      a: ["127.0.0.1"],
      forge: (query, answer) => {
        const forged = evil(query, name)
        const otherId = forged.slice()
        otherId[1]! ^= 1
        const otherName = forged.slice()
        otherName[13]! ^= 1
        const otherType = forged.slice()
        otherType[query.indexOf(0, 12) + 2] = 16
        const noQuestion = Uint8Array.from([
          ...forged.subarray(0, 4),
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          0,
          ...encodeRecord(name, TYPE_A, 60, Uint8Array.of(6, 6, 6, 6)),
        ])
        return [otherId, otherName, otherType, noQuestion, query, Uint8Array.of(1), answer]
      },
    })
    expect((await bench.look(bench.make(), name)).addresses).toEqual(["127.0.0.1"])
  })

  test("an answer from another sender does not arrive", async () => {
    const name = bench.fresh()
    const forger = createSocket("udp4")
    const forged: number[] = []
    server.say(name, {
      a: ["127.0.0.1"],
      delayMs: 60,
      forge: (query, answer) => {
        const { fromPort } = server.queries.at(-1)!
        forged.push(fromPort)
        forger.send(evil(query, name), fromPort, "127.0.0.1")
        return [answer]
      },
    })
    expect((await bench.look(bench.make(), name)).addresses).toEqual(["127.0.0.1"])
    expect(forged.length).toBeGreaterThan(0)
    forger.close()
  })

  test("records that were not asked for are not believed", async () => {
    const [name, bank] = [bench.fresh(), bench.fresh()]
    server.say(bank, { a: ["127.0.0.7"] })
    server.say(name, {
      forge: query => [
        encodeAnswer(query, {
          flags: 0x8180,
          answers: [
            encodeRecord(bank, TYPE_A, 9999, Uint8Array.of(6, 6, 6, 6)),
            encodeRecord(name, TYPE_CNAME, 60, encodeName(`x.${name}`)),
            encodeRecord(`x.${name}`, TYPE_A, 60, Uint8Array.of(127, 0, 0, 1)),
          ],
          authorities: [],
        }),
      ],
    })
    const resolver = bench.make()
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.1"])
    expect(await bench.look(resolver, bank)).toMatchObject({ addresses: ["127.0.0.7"], atOnce: false })
  })

  test("a flood of guesses makes the query go over TCP", async () => {
    const name = bench.fresh()
    let flooded = 0
    server.say(name, {
      a: ["127.0.0.1"],
      forge: (query, answer) => {
        if (server.queries.at(-1)!.transport === "tcp") return [answer]
        flooded++
        return Array.from({ length: 8 }, (_, i) => {
          const guess = evil(query, name)
          guess[0]! ^= i + 1
          return guess
        })
      },
    })
    expect((await bench.look(bench.make({ timeoutMs: 2000 }), name)).addresses).toEqual(["127.0.0.1"])
    expect(flooded).toBe(2)
    expect(server.queries.filter(query => query.name === name && query.transport === "tcp").length).toBe(2)
  })

  test("ids and source ports are not to be guessed", async () => {
    const resolver = bench.make()
    const names = Array.from({ length: 40 }, () => bench.fresh())
    await Promise.all(names.map(name => bench.look(resolver, name)))
    const seen = server.queries.filter(query => names.includes(query.name))
    expect(seen.length).toBe(80)
    expect(new Set(seen.map(query => query.id)).size).toBeGreaterThan(75)
    expect(new Set(seen.map(query => query.fromPort)).size).toBeGreaterThan(70)
    const steps = seen.map((query, i) => Math.abs(query.fromPort - (seen[i - 1]?.fromPort ?? 0)))
    expect(steps.filter(step => step <= 2).length).toBeLessThan(8)
  })
})
