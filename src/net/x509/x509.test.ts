import { expect, test } from "bun:test"
import { execFileSync } from "node:child_process"
import { createPrivateKey, X509Certificate } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Authority, createAuthority, selfSigned } from "./authority.ts"
import { element, integer, objectIdentifier, pem, time } from "./der.ts"
import { elements } from "./der-reader.ts"
import { acmeIdentifier } from "./extensions.ts"
import { makeKey, makeRequest } from "./make-certificate.ts"
import { readCertificateParts } from "./read-certificate.ts"

/** OpenSSL judges: another reader of the same standard. */
function openssl(files: Record<string, string>, ...words: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "bothways-x509-"))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return execFileSync("openssl", words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const DAY_MS = 86_400_000

test("lengths, integers, identifiers and times are those of DER", () => {
  expect(element(4, Buffer.alloc(127)).subarray(0, 2).toString("hex")).toBe("047f")
  expect(element(4, Buffer.alloc(128)).subarray(0, 3).toString("hex")).toBe("048180")
  expect(element(4, Buffer.alloc(65_536)).subarray(0, 5).toString("hex")).toBe("0483010000")
  expect(integer(0).toString("hex")).toBe("020100")
  expect(integer(Buffer.from([0, 0, 0x80])).toString("hex")).toBe("02020080")
  expect(objectIdentifier("1.2.840.10045.4.3.2").toString("hex")).toBe("06082a8648ce3d040302")
  expect(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString("latin1")).toContain("491231235959Z")
  expect(time(Date.UTC(2050, 0, 1)).toString("latin1")).toContain("20500101000000Z")
})

test("a reader refuses what is cut", () => {
  const whole = element(4, Buffer.alloc(300))
  expect(elements(whole)[0]!.content.length).toBe(300)
  for (const length of [1, 2, 3, 200]) expect(() => elements(whole.subarray(0, length))).toThrow("an element")
  expect(() => elements(Buffer.from([4, 0x80]))).toThrow("no length of DER")
})

test("OpenSSL verifies leaves for names, wildcards and addresses against their authority", () => {
  const pair = createAuthority({ name: "Test authority", days: 100 })
  const authority = new Authority(pair)
  const leaf = authority.issueLeaf({ names: ["a.test", "*.b.test", "127.0.0.1", "::1"], key: makeKey("p256"), lifeMs: 7 * DAY_MS })
  const files = { ca: pair.cert, leaf }
  for (const name of ["a.test", "x.b.test"])
    expect(openssl(files, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", name, "-CAfile", "ca", "leaf")).toContain("leaf: OK")
  for (const address of ["127.0.0.1", "::1"]) expect(openssl(files, "verify", "-verify_ip", address, "-CAfile", "ca", "leaf")).toContain("leaf: OK")
  expect(() => openssl(files, "verify", "-verify_hostname", "x.y.b.test", "-CAfile", "ca", "leaf")).toThrow()
  const { validTo, serialNumber } = new X509Certificate(leaf)
  expect(Math.abs(Date.parse(validTo) - Date.now() - 7 * DAY_MS)).toBeLessThan(5000)
  expect(serialNumber).toHaveLength(32)
})

test("an RSA leaf and a name that is too long for a subject", () => {
  const pair = createAuthority({ name: "Test authority", days: 100 })
  const long = `${"a".repeat(60)}.${"b".repeat(60)}.test`
  const leaf = new Authority(pair).issueLeaf({ names: [long], key: makeKey("rsa2048"), lifeMs: DAY_MS })
  expect(openssl({ ca: pair.cert, leaf }, "verify", "-x509_strict", "-verify_hostname", long, "-CAfile", "ca", "leaf")).toContain("leaf: OK")
  expect(openssl({ leaf }, "x509", "-in", "leaf", "-noout", "-ext", "subjectAltName,keyUsage")).toMatch(
    /Key Encipherment[\s\S]*critical|critical[\s\S]*Key Encipherment/,
  )
})

test("a constrained authority is good for its domains and nothing else", () => {
  const pair = createAuthority({ name: "Test authority", days: 100, domains: ["localhost", "in.test"] })
  const authority = new Authority(pair)
  const verdict = (name: string): boolean => {
    const leaf = authority.issueLeaf({ names: [name], key: makeKey("p256"), lifeMs: DAY_MS })
    try {
      return openssl({ ca: pair.cert, leaf }, "verify", "-CAfile", "ca", "leaf").includes("OK")
    } catch {
      return false
    }
  }
  expect(["localhost", "a.in.test", "127.0.0.1", "::1", "out.test", "192.0.2.1"].map(verdict)).toEqual([true, true, true, true, false, false])
})

test("a leaf does not outlive its authority", () => {
  const pair = createAuthority({ name: "Test authority", days: 3 })
  const leaf = new Authority(pair).issueLeaf({ names: ["a.test"], key: makeKey("p256"), lifeMs: 90 * DAY_MS })
  expect(new X509Certificate(leaf).validTo).toBe(new X509Certificate(pair.cert).validTo)
})

test("whoever is no authority signs nothing", () => {
  const pair = selfSigned(["a.test"], DAY_MS)
  expect(() => new Authority(pair)).toThrow("not the certificate of an authority")
  expect(() => new Authority({ ...createAuthority({ name: "x", days: 1 }), key: pair.key })).toThrow("does not fit")
})

test("a request carries its names and proves its key", () => {
  const request = pem("CERTIFICATE REQUEST", makeRequest(["a.test", "*.a.test"], makeKey("p256")))
  const text = openssl({ request }, "req", "-in", "request", "-verify", "-noout", "-text")
  expect(text).toContain("DNS:a.test, DNS:*.a.test")
  expect(() => openssl({ request }, "req", "-in", "request", "-verify", "-noout")).not.toThrow()
})

test("a TLS-ALPN-01 certificate has the digest as a critical extension", () => {
  const { cert, key } = selfSigned(["a.test"], DAY_MS, [acmeIdentifier(Buffer.alloc(32, 7))])
  expect(openssl({ cert }, "x509", "-in", "cert", "-noout", "-text")).toContain("1.3.6.1.5.5.7.1.31: critical")
  expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))).toBe(true)
})

test("serial number and key identifiers are read as OpenSSL shows them", () => {
  const pair = createAuthority({ name: "Test authority", days: 3 })
  const leaf = new Authority(pair).issueLeaf({ names: ["a.test"], key: makeKey("p256"), lifeMs: DAY_MS })
  const own = readCertificateParts(new X509Certificate(leaf).raw)
  const signer = readCertificateParts(new X509Certificate(pair.cert).raw)
  expect(own.serial.toString("hex").toUpperCase()).toBe(new X509Certificate(leaf).serialNumber)
  expect(own.authorityKeyId).toEqual(signer.subjectKeyId)
  const shown = openssl({ leaf }, "x509", "-in", "leaf", "-noout", "-ext", "authorityKeyIdentifier").replaceAll(":", "").toLowerCase()
  expect(shown).toContain(own.authorityKeyId!.toString("hex"))
})
