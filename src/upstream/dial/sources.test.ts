import { expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { Sources, sourceTo } from "./sources.ts"

const x = (client: string): Exchange => {
  const one = new Exchange()
  one.clientAddress = client
  return one
}
const addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3"]

test("in turn, IPv4 and IPv6 apart", () => {
  const sources = new Sources({ addresses, rotate: "request", everyMs: 1000 })
  const turns = Array.from({ length: 6 }, () => sources.next(x("a")))
  expect(new Set(turns.slice(0, 3).map(({ v4 }) => v4)).size).toBe(3)
  expect(turns.slice(3)).toEqual(turns.slice(0, 3))
  for (const turn of turns) expect([sourceTo(turn, "2001:db8::9"), sourceTo(turn, "10.0.0.1")]).toEqual(["2001:db8::1", turn.v4])
})

test("by client, all are used and each client keeps its own", () => {
  const sources = new Sources({ addresses, rotate: "client", everyMs: 1000 })
  const of = (client: string) => sources.next(x(client)).index
  const clients = Array.from({ length: 60 }, (_, i) => `10.0.0.${i}`)
  expect(new Set(clients.map(of)).size).toBe(3)
  for (const client of clients) expect(of(client)).toBe(of(client))
})

test("without an address of a kind there is none", () => {
  const source = new Sources({ addresses: ["192.0.2.1"], rotate: "time", everyMs: 1000 }).next(x("a"))
  expect([sourceTo(source, "::1"), sourceTo(source, "10.0.0.1")]).toEqual(["", "192.0.2.1"])
})
