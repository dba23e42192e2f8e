import { describe, expect, test } from "bun:test"
import { Authority } from "../../../../test/support/certificates.ts"
import { scriptedServer } from "../../../../test/support/scripted-server.ts"
import tcp from "./tcp.ts"

const defaults = tcp.options.parse(undefined)

describe("tcp health check", () => {
  test("a connection is success and nothing is sent on it", async () => {
    await using server = await scriptedServer(async () => {})
    expect(await tcp.probe({ address: "127.0.0.1", port: server.port, tls: null }, defaults, 1_000)).toBeNull()
    await (await server.connection()).ended()
    expect(server.received).toBe("")
  })

  test("a closed port has failed", async () => {
    const server = await scriptedServer(async () => {})
    const { port } = server
    await server.close()
    expect(await tcp.probe({ address: "127.0.0.1", port, tls: null }, defaults, 1_000)).toBe("the peer refused the connection")
  })

  test("with TLS the handshake is part of it", async () => {
    const authority = new Authority()
    const leaf = authority.issue(["127.0.0.1"])
    await using server = await scriptedServer(async () => {}, { tls: { cert: leaf.cert, key: leaf.key } })
    const target = { address: "127.0.0.1", port: server.port, tls: { serverName: "127.0.0.1", verify: true, ca: authority.ca.cert } }
    expect(await tcp.probe(target, defaults, 1_000)).toBeNull()
    expect(await tcp.probe({ ...target, tls: { ...target.tls, serverName: "other.test" } }, defaults, 1_000)).toBeString()
    await using plain = await scriptedServer(async () => {})
    expect(await tcp.probe({ ...target, port: plain.port }, defaults, 80)).toBe("no whole answer within 80ms")
  })
})
