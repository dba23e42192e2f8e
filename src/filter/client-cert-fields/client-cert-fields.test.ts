import { describe, expect, test } from "bun:test"
import type { ClientCertificate } from "../../net/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import clientCertFields from "./client-cert-fields.ts"

const shown = { verified: true, problem: "", name: "CN=a", der: Uint8Array.of(0x30, 0x82, 0xff, 0x00) } as ClientCertificate
const start = (clientCertificate: ClientCertificate | null) =>
  new FilterRun(clientCertFields.build(clientCertFields.options.parse(undefined), new FakeDeps()), undefined, { clientCertificate })
const get = (fields = "") => `GET /a HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`

describe("client-cert-fields", () => {
  test("a verified certificate goes out as a byte sequence", () => {
    const run = start(shown)
    for (let i = 0; i < 2; i++) run.send(get())
    expect(run.seen.sent).toEqual(Array(2).fill("Host: a.test\r\nClient-Cert: :MIL/AA==:\r\n"))
  })

  test("what clients say of theirs never does, nor can they nominate ours away", () => {
    const spoofed = "Client-Cert: :AAAA:\r\nclient-cert: :BBBB:\r\nCLIENT-CERT-CHAIN: :CCCC:\r\nClient_Cert: :DDDD:\r\n"
    for (const certificate of [null, { ...shown, verified: false, problem: "CERT_HAS_EXPIRED" }]) {
      const run = start(certificate)
      run.send(get(spoofed))
      expect(run.seen.sent).toEqual(["Host: a.test\r\n"])
    }
    const run = start(shown)
    run.send(get(`${spoofed}Connection: keep-alive, client-cert, Client-Cert-Chain\r\n`))
    expect(run.seen.sent).toEqual(["Host: a.test\r\nClient-Cert: :MIL/AA==:\r\n"])
  })
})
