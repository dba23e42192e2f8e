import { afterAll, describe, expect, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TLSSocket } from "node:tls"
import { startBothways } from "../../support/bothways.ts"
import { Authority, type Certificate } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { pause, until } from "../../support/wait.ts"

// Each letter has a listener with files of its own, and all of them change at the same time. Two workers: each looks at the files by itself.
const letters = ["a", "b", "c", "d", "e", "signal"] as const
type Letter = (typeof letters)[number]
const authority = new Authority()
const former = authority.issue(["app.test"])
const renewed = authority.issue(["app.test"])
/** Looked at once a second, and not before they have been quiet for 200 ms; the rest is for a busy machine. */
const noticedMs = 5000
const ports = await freePorts(letters.length)
const root = temporaryFolder("renewed")
const portOf = (letter: Letter): number => ports[letters.indexOf(letter)]!
const place = (letter: Letter, pair: Certificate): void => {
  copyFileSync(pair.certFile, join(root, letter, "live", "cert.pem"))
  copyFileSync(pair.keyFile, join(root, letter, "live", "key.pem"))
}
for (const letter of letters) {
  mkdirSync(join(root, letter, "archive1"), { recursive: true })
  symlinkSync("archive1", join(root, letter, "live"))
  place(letter, former)
}
const listener = (letter: Letter): object => ({
  bind: `127.0.0.1:${portOf(letter)}`,
  tls: { certificates: [{ cert: join(root, letter, "live/cert.pem"), key: join(root, letter, "live/key.pem") }] },
})
const proxy = await startBothways({
  workers: 2,
  listeners: Object.fromEntries(letters.map(letter => [letter, listener(letter)])),
  routes: [{ match: {}, to: { respond: { body: "ok" } } }],
})
afterAll(() => proxy.stop())

const serialOf = (pair: Certificate): string => new X509Certificate(pair.cert).serialNumber
const [old, fresh] = [serialOf(former), serialOf(renewed)]

async function serial(letter: Letter): Promise<string> {
  using client = await rawClient(portOf(letter), { tls: { servername: "app.test", ca: authority.ca.cert } })
  const { serialNumber } = (client.socket as TLSSocket).getPeerCertificate()
  client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
  expect((await client.response()).body).toBe("ok")
  return serialNumber
}

/** Handshakes every 100 ms while `change` goes on and until its result is there; none may fail. An old connection is in use the whole time. */
async function underWatch(letter: Letter, change: () => Promise<void> | void, wanted: string): Promise<void> {
  using held = await rawClient(portOf(letter), { tls: { servername: "app.test" } })
  const seen: string[] = []
  let done = false
  const watch = (async () => {
    while (!done) {
      seen.push(await serial(letter))
      await pause(100)
    }
  })()
  await change()
  await Promise.race([watch, until(() => lastOf(seen, wanted), noticedMs, `${letter}: the certificate ${wanted}`)])
  done = true
  await watch
  held.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
  expect((await held.response()).body).toBe("ok")
  expect(new Set(seen)).toEqual(new Set([old, wanted]))
}

/** Both workers: eight in a row. */
function lastOf(seen: readonly string[], wanted: string): boolean {
  return seen.length >= 8 && seen.slice(-8).every(one => one === wanted)
}

const warnings = (): string[] => proxy.program.stderr.split("\n").filter(line => line.includes("do not fit"))

describe("O-39: renewed certificate files", () => {
  test.concurrent("a: both overwritten in place", () => underWatch("a", () => place("a", renewed), fresh))

  test.concurrent("b: the folder's link is switched", () =>
    underWatch(
      "b",
      () => {
        mkdirSync(join(root, "b/archive2"))
        copyFileSync(renewed.certFile, join(root, "b/archive2/cert.pem"))
        copyFileSync(renewed.keyFile, join(root, "b/archive2/key.pem"))
        symlinkSync("archive2", join(root, "b/next"))
        renameSync(join(root, "b/next"), join(root, "b/live"))
      },
      fresh,
    ))

  test.concurrent("c: the key, half a second later the certificate", () =>
    underWatch(
      "c",
      async () => {
        copyFileSync(renewed.keyFile, join(root, "c/live/key.pem"))
        await pause(500)
        copyFileSync(renewed.certFile, join(root, "c/live/cert.pem"))
      },
      fresh,
    ))

  test.concurrent("d: half a PEM, later the rest", () =>
    underWatch(
      "d",
      async () => {
        copyFileSync(renewed.keyFile, join(root, "d/live/key.pem"))
        writeFileSync(join(root, "d/live/cert.pem"), renewed.cert.slice(0, renewed.cert.length / 2))
        await pause(1300)
        writeFileSync(join(root, "d/live/cert.pem"), renewed.cert)
      },
      fresh,
    ))

  test.concurrent("e: a key that does not fit: the old pair stays, and that is said", async () => {
    copyFileSync(renewed.keyFile, join(root, "e/live/key.pem"))
    // Said on the second look, because a pair that is being written one by one fits in a moment.
    await until(() => warnings().some(line => line.includes("/e/live/key.pem")), noticedMs + 1500, "the warning")
    for (let i = 0; i < 8; i++) expect(await serial("e")).toBe(old)
  })
})

test("O-39 e: one line says so, whoever the workers are", async () => {
  await pause(1200)
  expect(warnings().filter(line => line.includes("/e/live")).length).toBe(1)
  // what was in the making meanwhile is not worth a word
  expect(warnings().filter(line => !line.includes("/e/live") && !line.includes("/d/live"))).toEqual([])
})

test("O-39: a reload signal takes them at once, without a change of the config", async () => {
  place("e", former)
  place("signal", renewed)
  proxy.program.signal("SIGHUP")
  await until(async () => (await serial("signal")) === fresh)
  const timeOf = (words: string): number =>
    Date.parse(
      proxy.program.stderr
        .split("\n")
        .findLast(line => line.includes(words))!
        .split(" ", 1)[0]!,
    )
  // The next look of its own would come up to a second later, and 200 ms after the change at the earliest.
  expect(timeOf("signal/live") - timeOf("certificates were read again")).toBeLessThan(150)
})
