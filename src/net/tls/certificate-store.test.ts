import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, type TLSSocket } from "node:tls"
import { FakeClock, type LogRecord, setLogSink, systemClock } from "../../base/index.ts"
import type { Listening } from "../listen.ts"
import { type Door, startDoor } from "../test-door.ts"
import { until } from "../test-time.ts"
import { certificateProblems } from "./certificate-problems.ts"
import type { CertificateFiles } from "./certificate-pair.ts"
import { CertificateStore, type TlsListenOptions } from "./certificate-store.ts"
import { makePair, type Pair } from "./test-pair.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-store-"))
const stops: (() => void)[] = []
const said: LogRecord[] = []
beforeAll(() => setLogSink(record => void said.push(record)))
afterAll(() => {
  setLogSink(null)
  for (const stop of stops) stop()
  rmSync(folder, { recursive: true })
})

const one = makePair({ names: "DNS:a.test", commonName: "one" })
const two = makePair({ names: "DNS:a.test", commonName: "two" })

let count = 0
function freshFolder(): string {
  const path = join(folder, String(count++))
  mkdirSync(path)
  return path
}

function put(path: string, pair: Partial<Pair>): CertificateFiles {
  const files = { cert: join(path, "cert.pem"), key: join(path, "key.pem") }
  if (pair.cert !== undefined) writeFileSync(files.cert, pair.cert)
  if (pair.key !== undefined) writeFileSync(files.key, pair.key)
  return files
}

/** A listener under certificates that change, and a client that shakes hands all the time, by name and without one in turn. */
class Site {
  readonly door: Door
  readonly at: Listening
  readonly store: CertificateStore
  readonly shown = new Set<string>()
  handshakes = 0
  failed = 0
  current: [named: string, nameless: string] = ["", ""]
  private running = true
  private readonly old: TLSSocket

  constructor(files: CertificateFiles, pollMs: number) {
    this.store = new CertificateStore({ certificates: [files] })
    if (pollMs > 0) this.store.watch(pollMs, 2 * pollMs)
    const { door, at } = startDoor(stops, { tls: this.store })
    this.door = door
    this.at = at
    this.old = connect({ port: at.port, host: "127.0.0.1", rejectUnauthorized: false })
    this.old.on("error", () => {})
    void this.shake()
  }

  private async shake(): Promise<void> {
    for (let i = 0; this.running; i++) {
      const name = await this.subject(i % 2 === 0 ? "a.test" : undefined)
      this.handshakes++
      if (name === "") this.failed++
      this.shown.add(name)
      this.current[i % 2] = name
      await Bun.sleep(5)
    }
  }

  private subject(servername: string | undefined): Promise<string> {
    return new Promise(resolve => {
      const socket = connect({ port: this.at.port, host: "127.0.0.1", servername, rejectUnauthorized: false })
      socket.once("secureConnect", () => socket.write("x"))
      socket.once("data", () => {
        resolve((socket.getPeerCertificate().subject as unknown as { CN: string }).CN)
        socket.destroy()
      })
      socket.once("error", () => resolve(""))
    })
  }

  async serves(name: string): Promise<void> {
    await until(() => this.current.every(current => current === name), `${name} by name and without`)
  }

  /** Ends it: no handshake has failed, and the connection from before everything still works. */
  async check(): Promise<void> {
    this.running = false
    let echo = ""
    this.old.on("data", chunk => {
      echo += String(chunk)
    })
    this.old.write("still here")
    await until(() => echo === "still here", "the old connection")
    this.old.destroy()
    this.store.close()
    expect([this.failed, this.handshakes > 2, this.door.failures]).toEqual([0, true, []])
  }
}

function warnings(): string[] {
  return said.filter(({ level }) => level === "warn").map(({ fields }) => String(fields["reason"]))
}

describe("renewed files (FIELD-CASES O-39)", () => {
  test("a: both overwritten in place", async () => {
    const path = freshFolder()
    const site = new Site(put(path, one), 20)
    await site.serves("one")
    put(path, two)
    await site.serves("two")
    await site.check()
    expect([...site.shown].sort()).toEqual(["one", "two"])
  })

  test("b: the folder behind a link is switched", async () => {
    const path = freshFolder()
    for (const [name, pair] of [
      ["v1", one],
      ["v2", two],
    ] as const) {
      mkdirSync(join(path, name))
      put(join(path, name), pair)
    }
    symlinkSync("v1", join(path, "live"))
    const site = new Site({ cert: join(path, "live", "cert.pem"), key: join(path, "live", "key.pem") }, 20)
    await site.serves("one")
    symlinkSync("v2", join(path, "next"))
    renameSync(join(path, "next"), join(path, "live"))
    await site.serves("two")
    await site.check()
  })

  test("c: the key, and later the certificate: the old pair until both fit", async () => {
    const path = freshFolder()
    const site = new Site(put(path, one), 20)
    await site.serves("one")
    put(path, { key: two.key })
    await Bun.sleep(120)
    expect([...site.shown]).toEqual(["one"])
    put(path, { cert: two.cert })
    await site.serves("two")
    await site.check()
  })

  test("d: half a PEM, then the rest; half of the key likewise", async () => {
    const path = freshFolder()
    const site = new Site(put(path, one), 20)
    await site.serves("one")
    put(path, { cert: two.cert.slice(0, 200), key: two.key.slice(0, 100) })
    await Bun.sleep(120)
    appendFileSync(join(path, "cert.pem"), two.cert.slice(200))
    await Bun.sleep(100)
    expect([...site.shown]).toEqual(["one"])
    appendFileSync(join(path, "key.pem"), two.key.slice(100))
    await site.serves("two")
    await site.check()
  })

  test("e: a key that does not match: the old pair stays, and one line says so", async () => {
    const path = freshFolder()
    const site = new Site(put(path, one), 20)
    await site.serves("one")
    said.length = 0
    put(path, { key: two.key })
    await Bun.sleep(150)
    expect([...site.shown]).toEqual(["one"])
    expect(warnings()).toEqual([`${join(path, "key.pem")}: the key does not fit the certificate in ${join(path, "cert.pem")}`])
    put(path, { key: one.key })
    await Bun.sleep(100)
    await site.check()
    expect(warnings().length).toBe(1)
  })

  test("on the reload signal, at once and without polling", async () => {
    const path = freshFolder()
    const site = new Site(put(path, one), 0)
    await site.serves("one")
    put(path, two)
    expect(site.store.refresh()).toBeTrue()
    await site.serves("two")
    expect(site.store.refresh()).toBeFalse()
    said.length = 0
    put(path, { key: one.key })
    expect([site.store.refresh(), warnings().length]).toEqual([false, 1])
    rmSync(join(path, "key.pem"))
    expect(site.store.refresh()).toBeFalse()
    await site.check()
  })

  test("a touched file with the same content changes nothing, so sessions go on", () => {
    const path = freshFolder()
    const files = put(path, one)
    const store = new CertificateStore({ certificates: [files] })
    const before = store.defaultContext
    utimesSync(files.cert, 1_700_000_000, 1_700_000_000)
    expect([store.refresh(), store.defaultContext === before]).toEqual([false, true])
  })

  test("a time of writing in the future is no reason to wait", async () => {
    const path = freshFolder()
    const files = put(path, one)
    const store = new CertificateStore({ certificates: [files] })
    store.watch(5, 60_000)
    const before = store.pairs[0]?.serialNumber
    put(path, two)
    await Bun.sleep(30)
    expect(store.pairs[0]?.serialNumber).toBe(before!)
    for (const file of [files.cert, files.key]) utimesSync(file, Date.now() / 1000 + 3600, Date.now() / 1000 + 3600)
    await until(() => store.pairs[0]?.serialNumber !== before, "the new pair")
    store.close()
  })

  test("the clients' authorities are renewed, too", () => {
    const path = freshFolder()
    const files = put(path, one)
    const ca = join(path, "ca.pem")
    writeFileSync(ca, one.cert)
    const store = new CertificateStore({ certificates: [files], clientCertificates: { mode: "required", ca } })
    writeFileSync(ca, "nothing")
    expect(store.refresh()).toBeFalse()
    writeFileSync(ca, two.cert)
    let changes = 0
    store.onDefaultChange(() => changes++)
    expect([store.refresh(), changes, store.defaultOptions.ca]).toEqual([true, 1, two.cert])
  })
})

describe("what cannot be used", () => {
  function problemsOf(pair: Partial<Pair>, options: Partial<TlsListenOptions> = {}): [string, string][] {
    const files = put(freshFolder(), pair)
    return certificateProblems({ certificates: [files], ...options }).map(({ severity, text }) => [severity, text.replace(/^\/\S+: /, "")])
  }

  test("problems by their names, and the store refuses what is an error", () => {
    expect(problemsOf(one)).toEqual([])
    expect(problemsOf({ cert: one.cert })).toEqual([["error", "there is no such file"]])
    expect(problemsOf({ key: one.key })).toEqual([["error", "there is no such file"]])
    expect(problemsOf({ cert: "x", key: one.key })).toEqual([["error", "no certificate in PEM form is in it"]])
    expect(problemsOf({ cert: one.cert + two.cert.slice(0, 300), key: one.key })).toEqual([["error", "certificate 2 in it is cut off"]])
    expect(problemsOf({ cert: one.cert.replace(/\n[A-Za-z0-9+/]{10}/, "\n**********"), key: one.key })).toEqual([
      ["error", "certificate 1 in it is damaged"],
    ])
    expect(problemsOf({ cert: one.cert, key: one.key.slice(0, 100) })).toEqual([["error", "no whole private key in PEM form is in it"]])
    expect(problemsOf({ cert: one.cert, key: "-----BEGIN ENCRYPTED PRIVATE KEY-----" })[0]![1]).toContain("without a passphrase")
    expect(problemsOf({ cert: one.cert, key: two.key })[0]![1]).toContain("does not fit")
    expect(problemsOf({ cert: "x", key: "y" }).length).toBe(2)
    expect(problemsOf(one, { ciphers: "NO-SUCH-CIPHER" })).toEqual([["error", expect.stringContaining("no usable cipher")]])
    expect(problemsOf(one, { clientCertificates: { mode: "required", ca: "/nonexistent" } })).toEqual([["error", "there is no such file"]])
    expect(() => new CertificateStore({ certificates: [put(freshFolder(), { cert: one.cert, key: two.key })] })).toThrow("does not fit")
    expect(() => new CertificateStore({ certificates: [] })).toThrow("at least one")
  })

  test("dates: expired, not yet valid, soon to expire", () => {
    const files = put(freshFolder(), makePair({ names: "DNS:a.test", days: 30 }))
    const at = (days: number): string[] =>
      certificateProblems({ certificates: [files] }, Date.now() + days * 86_400_000).map(({ text }) => text.replace(/^\/\S+: /, ""))
    expect(at(0)).toEqual([])
    expect(at(25)[0]).toMatch(/^it expires on \d{4}-\d\d-\d\d$/)
    expect(at(31)[0]).toStartWith("it expired on")
    expect(at(-1)[0]).toStartWith("it is not valid before")
  })

  test("the store says so on start and once a day", () => {
    const files = put(freshFolder(), makePair({ names: "DNS:a.test", days: 30 }))
    const clock = new FakeClock(0, Date.now() + 31 * 86_400_000)
    setLogSink(record => void said.push(record), systemClock)
    said.length = 0
    const store = new CertificateStore({ certificates: [files] }, clock)
    store.refresh()
    expect(warnings().length).toBe(1)
    expect(warnings()[0]).toStartWith("it expired on")
    clock.advance(86_400_000)
    store.refresh()
    expect(warnings().length).toBe(2)
  })

  test("a name in two certificates, and a certificate without a name", () => {
    const certificates = [put(freshFolder(), one), put(freshFolder(), two), put(freshFolder(), makePair({ names: "IP:127.0.0.1" }))]
    const texts = certificateProblems({ certificates }).map(({ text }) => text)
    expect(texts.length).toBe(2)
    expect(texts[0]).toContain("a.test is in")
    expect(texts[1]).toContain("no host name")
    const [old] = [put(freshFolder(), makePair({ commonName: "Old.test" }))]
    const store = new CertificateStore({ certificates: [certificates[2]!, old] })
    expect(store.contextFor("old.test")).toBeDefined()
    expect(store.contextFor("127.0.0.1")).toBeUndefined()
  })
})
