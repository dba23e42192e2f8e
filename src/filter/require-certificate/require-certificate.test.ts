import { describe, expect, test } from "bun:test"
import type { ClientCertificate } from "../../net/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import requireCertificate from "./require-certificate.ts"

const get = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
const print = Array.from({ length: 32 }, (_, i) => (i + 160).toString(16).toUpperCase())
const shown: ClientCertificate = {
  verified: true,
  problem: "",
  name: "CN=a",
  subject: "CN=a",
  issuer: "CN=ca",
  serialNumber: "01",
  fingerprint256: print.join(":"),
}

function start(certificate: ClientCertificate | null, options: unknown = undefined): FilterRun {
  const filter = requireCertificate.build(requireCertificate.options.parse(options), new FakeDeps())
  return new FilterRun(filter, undefined, { clientCertificate: certificate })
}

describe("require-certificate", () => {
  test("nobody, and whoever shows one that does not verify, is sent to another connection", () => {
    for (const certificate of [null, { ...shown, verified: false, problem: "CERT_HAS_EXPIRED" }]) {
      const run = start(certificate)
      expect(run.send(get)).toStartWith("HTTP/1.1 421 Misdirected Request\r\n")
      expect(run.output).toContain("\r\nConnection: close\r\n")
      expect([run.seen.faults, run.seen.sent]).toEqual([["client.certificate-required"], []])
    }
  })

  test("a verified one gets in", () => {
    expect(start(shown).send(get)).toStartWith("HTTP/1.1 404 ")
  })

  test("fingerprints: with and without colons, in either case; others are refused", () => {
    for (const text of [print.join(":"), print.join("").toLowerCase()])
      expect(start(shown, { fingerprints: [text] }).send(get)).toStartWith("HTTP/1.1 404 ")
    const run = start(shown, { fingerprints: ["00".repeat(32)] })
    expect(run.send(get)).toStartWith("HTTP/1.1 403 ")
    expect(run.seen.faults).toEqual(["proxy.forbidden"])
    for (const wrong of ["", "ab", "zz".repeat(32), `${"00".repeat(32)}:`])
      expect(requireCertificate.options.safeParse({ fingerprints: [wrong] }).success).toBe(false)
    expect(requireCertificate.options.safeParse({ fingerprints: [] }).success).toBe(false)
  })
})
