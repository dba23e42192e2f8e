import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Authority, type Certificate } from "../../../test/support/certificates.ts"
import { parseConfig } from "../load.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-files-"))
let site: Certificate
let other: Certificate
let old: Certificate

beforeAll(() => {
  const authority = new Authority()
  site = authority.issue(["site.test"])
  other = authority.issue(["other.test"])
  old = authority.issue(["old.test"], 0)
  writeFileSync(join(folder, "garbage"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
  writeFileSync(join(folder, "empty"), "")
  writeFileSync(join(folder, "users"), `# comment\ndemo:{SHA}${createHash("sha1").update("demo").digest("base64")}\n`)
  mkdirSync(join(folder, "directory"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function said(text: string): string[] {
  const result = parseConfig(text, join(folder, "b.yaml"))
  return (result.ok ? result.warnings : result.problems).map(({ path, message }) => `${path}: ${message.replaceAll(`${folder}/`, "")}`)
}

const listener = (tls: string) => said(`listeners: { web: { bind: ":1", tls: ${tls} } }\nroutes: [ { to: { respond: {} } } ]\n`)
const cluster = (tls: string) =>
  said(`listeners: { web: { bind: ":1" } }\nclusters: { a: { peers: ["a.test:1"], tls: ${tls} } }\nroutes: [ { to: { cluster: a } } ]\n`)
const pair = (cert: string, key: string) => listener(`{ certificates: [ { cert: "${cert}", key: "${key}" } ] }`)
const at = "listeners.web.tls.certificates[0]"

describe("certificates", () => {
  test("that fit", () => expect(pair(site.certFile, site.keyFile)).toEqual([]))

  test("that are missing", () => {
    expect(pair("a.crt", "a.key")).toEqual([`${at}.cert: a.crt: there is no such file`, `${at}.key: a.key: there is no such file`])
    const pipe = join(folder, "pipe")
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0)
    expect(pair(pipe, site.keyFile)).toEqual([`${at}.cert: pipe: it is no regular file`])
    expect(pair(site.certFile, "directory")).toEqual([`${at}.key: directory: it is a directory, not a file`])
  })

  test("that do not hold what they should", () => {
    expect(pair("garbage", "garbage")).toEqual([
      `${at}.cert: garbage: certificate 1 in it is damaged`,
      `${at}.key: garbage: no whole private key in PEM form is in it`,
    ])
    expect(pair(site.keyFile, site.certFile)[0]).toEndWith("no certificate in PEM form is in it")
  })

  test("whose key is another's", () =>
    expect(pair(site.certFile, other.keyFile)).toEqual([`${at}.key: ${other.keyFile}: the key does not fit the certificate in ${site.certFile}`]))

  test("whose time is over", () =>
    expect(pair(old.certFile, old.keyFile)).toEqual([expect.stringMatching(/\.cert: .*: it expired on \d{4}-\d\d-\d\d$/)]))

  test("and ciphers that nobody has", () => {
    const ciphers = (text: string) => listener(`{ certificates: [ { cert: "${site.certFile}", key: "${site.keyFile}" } ], ciphers: "${text}" }`)
    expect(ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")).toEqual([])
    expect(ciphers("ECDHE-NOPE")).toEqual([expect.stringContaining('listeners.web.tls.ciphers: no usable cipher is in "ECDHE-NOPE"; expected')])
  })

  test("of clients", () => {
    const ca = (file: string) =>
      listener(`{ certificates: [ { cert: "${site.certFile}", key: "${site.keyFile}" } ], clientCertificates: { mode: required, ca: "${file}" } }`)
    expect(ca(site.certFile)).toEqual([])
    expect(ca("empty")).toEqual(["listeners.web.tls.clientCertificates.ca: empty: no certificate in PEM form is in it"])
  })

  test("of clusters", () => {
    expect(cluster(`{ ca: "${site.certFile}", cert: "${site.certFile}", key: "${site.keyFile}" }`)).toEqual([])
    expect(cluster(`{ cert: "${site.certFile}" }`)).toEqual(['clusters.a.tls.key: "key" is missing: a certificate needs its private key'])
    expect(cluster(`{ key: "${site.keyFile}" }`)).toEqual(['clusters.a.tls.cert: "cert" is missing: a private key needs its certificate'])
    expect(cluster('{ ca: "nowhere" }')).toEqual(["clusters.a.tls.ca: nowhere: there is no such file"])
  })
})

describe("other files", () => {
  const users = (file: string) =>
    said(`listeners: { out: { bind: "127.0.0.1:1", forward: { auth: { htpasswd: ${file} } } } }\nroutes: [ { to: { origin: {} } } ]\n`)

  test("of users", () => {
    expect(users("users")).toEqual([])
    expect(users("empty")).toEqual(["listeners.out.forward.auth.htpasswd: empty names no user; expected lines of the form user:hash"])
    expect(users("garbage")).toEqual(["listeners.out.forward.auth.htpasswd: garbage: line 1: expected user:hash"])
  })

  test("of users, in filters", () => {
    const filter = (file: string) =>
      said(`listeners: { web: { bind: ":1" } }\nroutes: [ { filters: [ { basic-auth: { htpasswd: ${file} } } ], to: { respond: {} } } ]\n`)
    expect(filter("users")).toEqual([])
    expect(filter("nowhere")).toEqual(["routes[0].filters[0].basic-auth.htpasswd: nowhere: there is no such file"])
  })

  test("that may not be read", () => {
    const file = join(folder, "closed")
    writeFileSync(file, readFileSync(join(folder, "users")))
    chmodSync(file, 0)
    // root reads everything, and then the file is good.
    expect(users("closed")).toEqual(process.getuid?.() === 0 ? [] : ["listeners.out.forward.auth.htpasswd: closed: no right to read it"])
  })

  test("of logs and roots", () => {
    const rest = (text: string) => said(`listeners: { web: { bind: ":1" } }\n${text}\n`)
    expect(rest("routes: [ { to: { files: { root: directory } } } ]")).toEqual([])
    expect(rest("routes: [ { to: { files: { root: users } } } ]")).toEqual(["routes[0].to.files.root: users is a file, not a directory"])
    expect(rest("routes: [ { to: { respond: {} } } ]\nobserve: { accessLog: { to: { file: directory/a.log } } }")).toEqual([])
    expect(rest("routes: [ { to: { respond: {} } } ]\nobserve: { accessLog: { to: { file: nowhere/a.log } } }")).toEqual([
      "observe.accessLog.to.file: the directory nowhere does not exist or cannot be written to",
    ])
  })
})
