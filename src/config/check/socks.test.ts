import { describe, expect, test } from "bun:test"
import { said } from "./said.fixture.ts"

const socks = (options: string, listener = "", route = "to: { origin: {} }"): string[] =>
  said(`listeners: { out: { bind: '127.0.0.1:1080', forward: { socks: ${options} }${listener} } }\nroutes: [ { ${route} } ]\n`)

describe("SOCKS", () => {
  test("goes without saying, in short and in long", () => {
    for (const options of ["true", "false", "{}", "{ versions: [5], only: true }", "{ udp: off }"]) expect(socks(options)).toEqual([])
  })

  test("datagrams need a route that lets them through", () => {
    const warning =
      "warning listeners.out.forward.socks.udp: datagrams go nowhere: no route of this listener to an origin has `upgrade: [connect-udp]`, see docs/socks.md"
    expect(socks("{ udp: on }")).toEqual([warning])
    expect(socks("{ udp: { idle: 5s } }")).toEqual([warning])
    expect(socks("{ udp: on }", "", "to: { origin: {} }, upgrade: [connect-udp]")).toEqual([])
  })

  test("what only HTTP has is not there where only SOCKS is spoken", () => {
    const pac = said(
      "listeners: { out: { bind: '127.0.0.1:1080', forward: { socks: { only: true }, pac: true } } }\nroutes: [ { to: { origin: {} } } ]\n",
    )
    expect(pac).toEqual(["warning listeners.out.forward.socks.only: nobody can fetch `pac` where nothing but SOCKS is spoken"])
    const login = said(
      "listeners: { out: { bind: '127.0.0.1:1080', forward: { socks: { only: true }, auth: { bearer: { tokens: /dev/null } } } } }\nroutes: [ { to: { origin: {} } } ]\n",
    )
    expect(login).toContain("listeners.out.forward.socks.only: SOCKS clients can give a password and nothing else, and this log-in takes none")
  })

  test("says what it expected", () => {
    expect(socks("{ versions: [6] }")).toEqual(["listeners.out.forward.socks.versions[0]: expected 4 or 5, got 6"])
    expect(socks("{ udp: { address: nowhere } }")).toEqual(["listeners.out.forward.socks.udp.address: expected an address"])
    expect(socks("{ only: true, up: on }")[0]).toContain('unknown key "up"')
  })
})
