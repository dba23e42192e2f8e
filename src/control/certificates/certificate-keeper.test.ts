import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
// allow(index-only): at once, where the door of the room is asynchronous
import { parseConfig } from "../../config/load.ts"
import { bundlePath, fallbackPath } from "../../net/index.ts"
import { CertificateKeeper } from "./certificate-keeper.ts"
import { CertificateFolder } from "./store/certificate-folder.ts"
import { FolderLock } from "./store/folder-lock.ts"

const top = mkdtempSync(join(tmpdir(), "bothways-keeper-"))
afterAll(() => rmSync(top, { recursive: true }))

function configOf(directory: string, acme: object = {}) {
  const listeners = { secure: { bind: "127.0.0.1:8443", tls: { auto: { names: ["a.test", "127.0.0.1"] } } } }
  const loaded = parseConfig(JSON.stringify({ listeners, acme: { directory, issuers: ["local"], ...acme }, routes: [{ to: { respond: {} } }] }))
  if (!loaded.ok) throw new Error(loaded.problems[0]!.message)
  return loaded.config
}

const newKeeper = (): CertificateKeeper => new CertificateKeeper({ looked: () => Promise.resolve(), answered() {} })

test("what the local authority signs is there before workers have the config, for us alone to read", async () => {
  const directory = join(top, "local")
  const keeper = newKeeper()
  const staged = await keeper.stage(configOf(directory))
  expect(staged.problem).toBe("")
  for (const file of [bundlePath(directory, "a.test"), bundlePath(directory, "127.0.0.1"), fallbackPath(directory)]) {
    expect([file, (statSync(file).mode & 0o777).toString(8)]).toEqual([file, "600"])
  }
  expect((statSync(directory).mode & 0o777).toString(8)).toBe("700")
  const before = readFileSync(bundlePath(directory, "a.test"), "utf8")
  const again = await newKeeper().stage(configOf(directory))
  expect([again.problem, readFileSync(bundlePath(directory, "a.test"), "utf8")]).toEqual(["", before])
})

test("a directory that cannot be written to refuses the config, with the reason", async () => {
  const file = join(top, "file")
  writeFileSync(file, "")
  const staged = await newKeeper().stage({ ...configOf(top), acme: { ...configOf(top).acme, directory: join(file, "below") } })
  expect(staged.problem).toStartWith(`certificates cannot be kept in ${file}/below: `)
})

test("a bundle that is damaged, another name's, or without its key is none", async () => {
  const directory = join(top, "damaged")
  await newKeeper().stage(configOf(directory))
  const folder = new CertificateFolder(directory)
  const path = bundlePath(directory, "a.test")
  const good = readFileSync(path, "utf8")
  expect(folder.read("a.test")?.note.issuer).toBe("local")
  writeFileSync(bundlePath(directory, "b.test"), good)
  expect(folder.read("b.test")).toBeNull()
  const stranger = readFileSync(bundlePath(directory, "127.0.0.1"), "utf8")
  const mixed = stranger.slice(0, stranger.indexOf("-----BEGIN CERT")) + good.slice(good.indexOf("-----BEGIN CERT"))
  for (const bad of ["", good.slice(0, 400), mixed]) {
    writeFileSync(path, bad)
    expect(folder.read("a.test")).toBeNull()
  }
})

test("one holder at a time; a lock of a process that has ended is free, one of another machine when nobody touches it", () => {
  const directory = join(top, "locks")
  const lock = new FolderLock(directory)
  const release = lock.take("*.a.test")
  expect(release).not.toBeNull()
  expect(new FolderLock(directory).take("*.a.test")).toBeNull()
  release!()
  const path = join(directory, "locks", "a.test.lock")
  mkdirSync(join(directory, "locks"), { recursive: true })
  // The highest number that a process can have here is lower.
  writeFileSync(path, JSON.stringify({ pid: 2 ** 30, host: hostname() }))
  lock.take("a.test")!()
  writeFileSync(path, JSON.stringify({ pid: 1, host: "another" }))
  expect(lock.take("a.test")).toBeNull()
  const old = new Date(Date.now() - 120_000)
  utimesSync(path, old, old)
  lock.take("a.test")!()
})
