import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Authority, type Certificate } from "../../../test/support/certificates.ts"
import { parseConfig } from "../load.ts"
import { checkDates } from "./files.ts"

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
  writeFileSync(join(folder, "users"), "# comment\ndemo:$2y$10$x\n")
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
    expect(pair("a.crt", "a.key")).toEqual([`${at}.cert: there is no such file: a.crt`, `${at}.key: there is no such file: a.key`])
    expect(pair(site.certFile, "directory")).toEqual([`${at}.key: directory is a directory, not a file`])
  })

  test("that do not hold what they should", () => {
    expect(pair("garbage", "garbage")).toEqual([
      `${at}.cert: garbage does not hold a certificate in PEM form`,
      `${at}.key: garbage does not hold an unencrypted private key in PEM form`,
    ])
    expect(pair(site.keyFile, site.certFile)[0]).toEndWith("does not hold a certificate in PEM form")
  })

  test("whose key is another's", () =>
    expect(pair(site.certFile, other.keyFile)).toEqual([`${at}.key: the key does not belong to the certificate ${site.certFile}`]))

  test("whose time is over, or has not come", () => {
    expect(pair(old.certFile, old.keyFile)).toEqual([expect.stringMatching(/\.cert: the certificate ended at .* GMT$/)])
    const dates = { validFrom: "Jan  1 00:00:00 2031 GMT", validTo: "Jan  1 00:00:00 2032 GMT" }
    const said = (now: string) => checkDates([], dates, Date.parse(now)).map(finding => finding.message)
    expect(said("2030-12-31")).toEqual(["the certificate is not valid before Jan  1 00:00:00 2031 GMT"])
    expect(said("2031-06-01")).toEqual([])
    expect(said("2032-01-02")).toEqual(["the certificate ended at Jan  1 00:00:00 2032 GMT"])
  })

  test("of clients", () => {
    const ca = (file: string) =>
      listener(`{ certificates: [ { cert: "${site.certFile}", key: "${site.keyFile}" } ], clientCertificates: { mode: required, ca: "${file}" } }`)
    expect(ca(site.certFile)).toEqual([])
    expect(ca("empty")).toEqual(["listeners.web.tls.clientCertificates.ca: empty does not hold certificates in PEM form"])
  })

  test("of clusters", () => {
    expect(cluster(`{ ca: "${site.certFile}", cert: "${site.certFile}", key: "${site.keyFile}" }`)).toEqual([])
    expect(cluster(`{ cert: "${site.certFile}" }`)).toEqual(['clusters.a.tls.key: "key" is missing: a certificate needs its private key'])
    expect(cluster(`{ key: "${site.keyFile}" }`)).toEqual(['clusters.a.tls.cert: "cert" is missing: a private key needs its certificate'])
    expect(cluster('{ ca: "nowhere" }')).toEqual(["clusters.a.tls.ca: there is no such file: nowhere"])
  })
})

describe("other files", () => {
  const users = (file: string) =>
    said(`listeners: { out: { bind: "127.0.0.1:1", forward: { auth: { htpasswd: ${file} } } } }\nroutes: [ { to: { origin: {} } } ]\n`)

  test("of users", () => {
    expect(users("users")).toEqual([])
    expect(users("empty")).toEqual(["listeners.out.forward.auth.htpasswd: empty does not hold lines of the form user:hash"])
    expect(users("garbage")[0]).toEndWith("does not hold lines of the form user:hash")
  })

  test("of users, in filters", () => {
    const filter = (file: string) =>
      said(`listeners: { web: { bind: ":1" } }\nroutes: [ { filters: [ { basic-auth: { htpasswd: ${file} } } ], to: { respond: {} } } ]\n`)
    expect(filter("users")).toEqual([])
    expect(filter("nowhere")).toEqual(["routes[0].filters[0].basic-auth.htpasswd: there is no such file: nowhere"])
  })

  test("that may not be read", () => {
    const file = join(folder, "closed")
    writeFileSync(file, "a:b\n")
    chmodSync(file, 0)
    // root reads everything, and then the file is good.
    expect(users("closed")).toEqual(
      process.getuid?.() === 0 ? [] : ["listeners.out.forward.auth.htpasswd: closed may not be read: permission denied"],
    )
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
