import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { NEXT, notesOf, type Exchange, FAULT_VERDICT, acquireExchange } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import { parseGroupFile } from "./groups.ts"
import { loginOptions, loginProblems } from "./login-options.ts"
import { NetworkModes } from "./network-modes.ts"
import proxyAuth from "./proxy-auth.ts"

const realm = "proxy"
const sha256 = (text: string) => createHash("sha256").update(text, "utf8").digest("hex")
const files = {
  "/etc/users": "ann:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\n", // open
  "/etc/digests": `ann:${realm}:${sha256(`ann:${realm}:open`)}\n`,
  "/etc/tokens": "robot:a-token-of-the-robot\n",
  "/etc/groups": "staff: ann bob\nall: ann\n",
}
const all = { htpasswd: "users", digest: { htdigest: "digests" }, bearer: { tokens: "tokens" } }
const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`
const get = (credentials = "", more = "") =>
  `GET http://app.test/ HTTP/1.1\r\nHost: app.test\r\n${credentials === "" ? "" : `Proxy-Authorization: ${credentials}\r\n`}${more}\r\n`

function start(options: object) {
  const deps = new FakeDeps(files)
  const filter = proxyAuth.build(proxyAuth.options.parse(options), deps)
  return { deps, filter, run: new FilterRun(filter) }
}

/** A request of a client that speaks no HTTP, such as SOCKS: no version, no connection of HTTP, fields that were put in for it. */
function other(change: (x: Exchange) => void): Exchange {
  const x = acquireExchange()
  x.method = "CONNECT"
  x.version = 0
  x.clientAddress = "192.0.2.1"
  change(x)
  return x
}

function put(x: Exchange, value: string): void {
  const name = "Proxy-Authorization"
  x.request.reset(`${name}: ${value}\r\n`)
  x.request.push(NAME.proxyAuthorization, 0, name.length, name.length + 2, name.length + 2 + value.length)
  x.request.end = x.request.raw.length
}

describe("several ways at once", () => {
  test("each scheme to its own, the challenges strongest first", () => {
    const { run } = start(all)
    const reply = run.send(get())
    expect([...reply.matchAll(/^Proxy-Authenticate: (\w+)/gm)].map(match => match[1])).toEqual(["Digest", "Bearer", "Basic"])
    expect(run.send(get(basic("ann:open")))).toStartWith("HTTP/1.1 404 ")
    expect(run.send(get("Bearer a-token-of-the-robot"))).toStartWith("HTTP/1.1 404 ")
    expect(run.seen.users).toEqual(["", "ann", "robot"])
  })

  test("who it is is known by the connection, until a file changes", () => {
    const { run, deps } = start(all)
    expect(run.send(get("Bearer a-token-of-the-robot"))).toStartWith("HTTP/1.1 404 ")
    expect(run.send(get(basic("ann:open")))).toStartWith("HTTP/1.1 404 ")
    deps.change("/etc/tokens", "other:another-token-of-others\n")
    deps.change("/etc/users", "eve:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\n")
    for (const credentials of ["Bearer a-token-of-the-robot", basic("ann:open")]) expect(run.send(get(credentials))).toStartWith("HTTP/1.1 407 ")
  })
})

describe("clients without HTTP", () => {
  test("their field is read as everybody's, and a refusal is a verdict", () => {
    const { filter } = start({ ...all, groups: "groups" })
    const right = other(x => put(x, basic("ann:open")))
    expect([filter.identify!(right), filter.access!(right), right.user, right.request.has(NAME.proxyAuthorization)]).toEqual([
      NEXT,
      NEXT,
      "ann",
      false,
    ])
    expect(notesOf(right).groups).toEqual(["staff", "all"])
    for (const change of [(x: Exchange) => put(x, basic("ann:no")), () => {}]) {
      const wrong = other(change)
      expect([filter.identify!(wrong), filter.access!(wrong), wrong.fault?.code]).toEqual([NEXT, FAULT_VERDICT, "proxy.auth-required"])
    }
  })

  test("inside of an opened tunnel nobody is asked again, and who it is stays", () => {
    const { filter, deps } = start(all)
    const inner = other(x => {
      x.user = "ann"
      notesOf(x).inside = true
      notesOf(x).groups = ["staff"]
      put(x, basic("eve:no"))
    })
    expect([filter.identify!(inner), filter.access!(inner), inner.user, inner.request.has(NAME.proxyAuthorization)]).toEqual([
      NEXT,
      NEXT,
      "ann",
      false,
    ])
    expect(inner.notes!.groups).toEqual(["staff"])
    expect(deps.counts.get("proxy_auth_wrong")).toBeUndefined()
  })
})

describe("certificate", () => {
  const shown = (subject: string, issuer: string, verified = true) =>
    ({ verified, problem: "", name: subject.split("\n").reverse().join(","), subject, issuer, serialNumber: "1", fingerprint256: "" }) as const
  const ask = (certificate: object, connection: object, networks = {}) => {
    const { filter } = start({ certificate, networks })
    const x = other(one => {
      one.down = { info: { clientCertificate: connection } } as unknown as Exchange["down"]
      // The listener's own step takes each certificate that verifies.
      one.user = "whoever"
    })
    return [filter.identify!(x) === NEXT && filter.access!(x) === NEXT, x.user, x.notes?.groups ?? []]
  }
  const ann = "O=Example\nOU=Dev\\, and more\nOU=Vpn\nCN=ann"

  test("who it is and the groups", () => {
    expect(ask({}, shown(ann, "CN=CA"))).toEqual([true, "ann", []])
    expect(ask({ groups: "ou" }, shown(ann, "CN=CA"))).toEqual([true, "ann", ["Dev, and more", "Vpn"]])
    expect(ask({ groups: { Vpn: ["remote", "all"] } }, shown(ann, "CN=CA"))).toEqual([true, "ann", ["remote", "all"]])
    expect(ask({ user: "subject" }, shown("O=E\nCN=a", "CN=CA"))).toEqual([true, "CN=a,O=E", []])
  })

  test("what is nobody's: another issuer, two names, none, unverified", () => {
    expect(ask({ issuers: "CA" }, shown(ann, "O=E\nCN=CA"))[0]).toBe(true)
    expect(ask({ issuers: "CN=CA,O=E" }, shown(ann, "O=E\nCN=CA"))[0]).toBe(true)
    for (const certificate of [
      shown(ann, "CN=other"),
      shown(ann, "O=CA\nCN=x"),
      shown("CN=a\nCN=b", "CN=CA"),
      shown("CN=a+CN=b", "CN=CA"),
      shown("O=E", "CN=CA"),
      shown(ann, "CN=CA", false),
    ])
      expect(ask({ issuers: "CA" }, certificate)).toEqual([false, "", []])
    expect(ask({ issuers: "CA" }, shown(ann, "CN=other"), { default: "optional" })).toEqual([true, "", []])
  })
})

describe("networks", () => {
  test("the narrowest counts; IPv4 in IPv6's clothes is IPv4", () => {
    const modes = new NetworkModes({
      "0.0.0.0/0": "optional",
      "10.0.0.0/8": "none",
      "10.1.0.0/16": "required",
      "10.1.2.3": "none",
      "2001:db8::/32": "none",
    })
    const rows = [
      ["192.0.2.1", "optional"],
      ["10.2.0.1", "none"],
      ["10.1.0.1", "required"],
      ["10.1.2.3", "none"],
      ["2001:db8::1", "none"],
      ["2001:db9::1", "required"],
      ["unix", "required"],
      ["", "required"],
      ["::ffff:10.1.0.1", "required"],
    ]
    expect(rows.map(([address]) => [address!, modes.of(address!)])).toEqual(rows as [string, "none"][])
    expect(new NetworkModes({}).of("192.0.2.1")).toBe("required")
  })
})

describe("options", () => {
  test.each([
    [{}, "expected at least one of htpasswd, basic"],
    [{ htpasswd: "a", basic: { htpasswd: "b" } }, "htpasswd is short for basic"],
    [{ htpasswd: "a", networks: { "10.0.0.1/8": "none" } }, "10.0.0.0/8"],
    [{ htpasswd: "a", networks: { inside: "none" } }, "expected a network or default"],
    [{ htpasswd: "a", networks: { "10.0.0.0/8": "off" } }, "required"],
    [{ bearer: {} }, "expected tokens, jwt or both"],
    [{ bearer: { jwt: { issuer: "i", audience: "a" } } }, "expected jwks or secretFile"],
    [{ digest: { htdigest: "f", algorithms: ["MD5", "MD5"] } }, "expected each algorithm once"],
    [{ htpasswd: "a", wrongMax: -1 }, ">=0"],
  ])("refuses %j", (options, message) => {
    const read = loginOptions.safeParse(options)
    expect(read.success ? "" : JSON.stringify(read.error.issues)).toContain(message)
  })

  test("files that cannot be used are told with their place", () => {
    const options = loginOptions.parse({ ...all, groups: "g", bearer: { tokens: "t", jwt: { issuer: "i", audience: "a", secretFile: "s" } } })
    const problems = loginProblems(options, path => `/nowhere/${path}`)
    expect(problems.map(({ at, severity }) => [at.join("."), severity])).toEqual([
      ["groups", "error"],
      ["digest.htdigest", "error"],
      ["bearer.tokens", "error"],
      ["bearer.jwt.secretFile", "error"],
    ])
  })

  test("passwords in the clear to a directory elsewhere are warned of", () => {
    const ldap = { servers: ["ldap://localhost", "ldap://dc.example", "ldaps://dc.example"], startTls: false, dn: "uid={user},dc=example" }
    expect(loginProblems(loginOptions.parse({ ldap }), path => path).map(({ at, severity }) => [at, severity])).toEqual([
      [["ldap", "servers", 1], "warning"],
    ])
    expect(loginProblems(loginOptions.parse({ ldap: { ...ldap, startTls: true } }), path => path)).toEqual([])
  })
})

describe("groups", () => {
  test("of a file, as Apache has them", () => {
    const groups = parseGroupFile("# groups\nstaff: ann bob\nstaff: bob carol\n\nempty:\nnight shift: ann\n", "f")
    expect([groups.of("ann"), groups.of("bob"), groups.of("eve")]).toEqual([["staff", "night shift"], ["staff"], []])
    for (const bad of ["staff", ": ann"]) expect(() => parseGroupFile(bad, "f")).toThrow('f: line 1: expected "group: user user"')
  })
})

describe("whatever comes", () => {
  const nonce = (reply: string) => /nonce="([^"]+)"/.exec(reply)![1]!
  function digest(reply: string): string {
    const uri = "/"
    const response = sha256(`${sha256(`ann:${realm}:open`)}:${nonce(reply)}:00000001:c:auth:${sha256(`GET:${uri}`)}`)
    return `Digest username="ann", realm="${realm}", nonce="${nonce(reply)}", uri="${uri}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c", response="${response}"`
  }

  test("the digest that is spoilt in the following is right", () => {
    const { run } = start(all)
    expect(run.send(get(digest(run.send(get()))))).toStartWith("HTTP/1.1 404 ")
  })

  // Each octet of good credentials is left out, doubled or replaced; a small generator with a fixed seed says how.
  test("spoilt credentials get 407 and the connection goes on", () => {
    let seed = 7616
    const next = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % below
    }
    const pieces = ['"', "\\", ",", "=", ";", "%", "*", "\t", " ", ":", "\xff", "\xc3", "0", "Digest ", "nc=1", ", ", "''", "==", "Basic", "."]
    const { run } = start({ ...all, attemptsMax: 1000, wrongMax: 0 })
    let refused = 0
    for (let i = 0; i < 600; i++) {
      const good = [digest(run.send(get())), basic("ann:open"), "Bearer a-token-of-the-robot"][i % 3]!
      const at = next(good.length)
      const piece = pieces[next(pieces.length)]!
      const bad =
        next(3) === 0
          ? good.slice(0, at) + piece + good.slice(at)
          : next(2) === 0
            ? good.slice(0, at) + good.slice(at + 1 + next(6))
            : good.slice(0, at) + piece + good.slice(at + 1)
      const reply = run.send(get(bad))
      // Some change nothing that counts: a blank more, a case.
      expect([bad, /^HTTP\/1\.1 (?:407|404) /.test(reply)]).toEqual([bad, true])
      if (reply.startsWith("HTTP/1.1 407 ")) refused++
    }
    expect(refused).toBeGreaterThan(400)
    expect(run.closed).toBe(false)
    expect(run.send(get(basic("ann:open")))).toStartWith("HTTP/1.1 404 ")
    expect(new Set(run.seen.users)).toEqual(new Set(["", "ann", "robot"]))
  })
})
