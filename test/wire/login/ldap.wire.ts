import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { startSlapd } from "../../support/slapd.ts"
import { until } from "../../support/wait.ts"

// OpenLDAP's own server, over StartTLS and TLS, by search and by template; it goes down and comes back.
const directory = await startSlapd(["ann", "bob", "jörg", "star*"], { staff: ["ann", "bob"], "night shift": ["ann"] })
const origin = await recorder()
const folder = temporaryFolder("ldap")
const password = join(folder, "password")
writeFileSync(password, `${directory.admin.password}\n`)
const ca = directory.authority.ca.certFile
const bind = { dn: directory.admin.dn, passwordFile: password }
const search = { base: `ou=people,${directory.suffix}`, filter: "(&(objectClass=person)(uid={user}))" }
const quick = { connectTimeout: "1s", timeout: "1s", remember: "0s", rememberWrong: "0s" }
const dead = await freePort()

const logins = {
  startTls: { servers: directory.url, ca, bind, search, ...quick },
  tls: { servers: [`ldaps://localhost:${dead}`, directory.secureUrl], ca, bind, search, groups: { base: `ou=groups,${directory.suffix}` }, ...quick },
  template: { servers: directory.secureUrl, ca, dn: `uid={user},ou=people,${directory.suffix}`, groups: "none", ...quick },
  remembers: { servers: directory.secureUrl, ca, bind, search, ...quick, remember: "5m" },
  strange: { servers: directory.secureUrl, ca: new Authority("another").ca.certFile, bind, search, ...quick },
  otherName: { servers: directory.url, ca, serverName: "ldap.example", bind, search, ...quick },
}
const ports = Object.fromEntries((await freePorts(6)).map((port, i) => [Object.keys(logins)[i]!, port])) as Record<keyof typeof logins, number>
const listeners = Object.entries(logins).map(([name, ldap]) => [
  name,
  { bind: `127.0.0.1:${ports[name as keyof typeof logins]}`, forward: { privateRanges: "allow", ports: [origin.port], auth: { ldap, wrongMax: 0 } } },
])
const proxy = await startBothways({ listeners: Object.fromEntries(listeners), routes: [{ to: { origin: {} } }] })
afterAll(async () => {
  await proxy.stop()
  await directory.stop()
  await origin[Symbol.asyncDispose]()
})

async function ask(port: number, login: string): Promise<number> {
  using client = await rawClient(port)
  const token = Buffer.from(login, "utf8").toString("base64")
  client.send(`GET http://${origin.address}/ HTTP/1.1\r\nHost: ${origin.address}\r\nProxy-Authorization: Basic ${token}\r\n\r\n`)
  return (await client.response()).status
}
async function lastLine(port: number, login: string): Promise<readonly unknown[]> {
  const before = proxy.log().length
  const status = await ask(port, login)
  await until(() => proxy.log().length > before)
  const line = proxy.log().at(-1)!
  return [status, line["user"], line["groups"]]
}

describe("ldap", () => {
  test("StartTLS, search and password; groups of memberOf", async () => {
    expect(await lastLine(ports.startTls, "ann:annsecret")).toEqual([200, "ann", "staff,night shift"])
    expect(await ask(ports.startTls, "ann:wrong")).toBe(407)
    expect(await ask(ports.startTls, "nobody:annsecret")).toBe(407)
    expect(await lastLine(ports.startTls, "jörg:jörgsecret")).toEqual([200, "jörg", undefined])
  })

  test("TLS, behind a server that is not there; groups by a search", async () => {
    expect(await lastLine(ports.tls, "ann:annsecret")).toEqual([200, "ann", "staff,night shift"])
    expect(await lastLine(ports.tls, "bob:bobsecret")).toEqual([200, "bob", "staff"])
    expect(proxy.program.stderr).toContain("a directory server did not answer")
  })

  test("a name in another case is the one of the directory", async () => {
    expect((await lastLine(ports.startTls, "ANN:annsecret")).slice(0, 2)).toEqual([200, "ann"])
    expect((await lastLine(ports.template, "Ann:annsecret")).slice(0, 2)).toEqual([200, "ann"])
  })

  test("a name is never more than a name", async () => {
    expect((await lastLine(ports.startTls, "star*:star*secret")).slice(0, 2)).toEqual([200, "star*"])
    for (const user of ["*", "a*", "ann)(uid=*", "*)(uid=ann", "ann)", "\\61nn", "ann,ou=people", "star\\2a"])
      for (const port of [ports.startTls, ports.template]) expect([user, await ask(port, `${user}:annsecret`)]).toEqual([user, 407])
    expect(await ask(ports.template, `ann,ou=people,${directory.suffix}:annsecret`)).toBe(407)
  })

  test("an empty password is no password, though the directory takes it for an anonymous bind", async () => {
    for (const port of [ports.startTls, ports.tls, ports.template]) for (const login of ["ann:", ":", ":x"]) expect(await ask(port, login)).toBe(407)
  })

  test("a server that cannot be believed is not asked: an unknown authority, another name", async () => {
    for (const port of [ports.strange, ports.otherName]) expect(await ask(port, "ann:annsecret")).toBe(503)
    expect(proxy.program.stderr).toMatch(/certificate|altnames/)
  })

  test("many at a time, on few connections", async () => {
    const logins = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? "ann:wrong" : i % 3 === 1 ? "bob:bobsecret" : "ann:annsecret"))
    const statuses = await Promise.all(logins.map(login => ask(ports.tls, login)))
    expect(statuses).toEqual(logins.map(login => (login.endsWith("wrong") ? 407 : 200)))
  })

  test("the directory restarts, is down, and is back", async () => {
    expect(await ask(ports.remembers, "ann:annsecret")).toBe(200)
    await directory.stop()
    expect(await ask(ports.startTls, "ann:annsecret")).toBe(503)
    expect([await ask(ports.remembers, "ann:annsecret"), await ask(ports.remembers, "bob:bobsecret")]).toEqual([200, 503])
    await directory.restart()
    expect(await ask(ports.startTls, "ann:annsecret")).toBe(200)
    expect(await ask(ports.template, "bob:bobsecret")).toBe(200)
  })

  test("no password stands in the log", () => expect(proxy.program.lines.join("\n") + proxy.program.stderr).not.toMatch(/secret|wrong/))
})
