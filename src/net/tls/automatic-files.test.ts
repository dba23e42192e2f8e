import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { selfSigned } from "../x509/authority.ts"
import { bundlePath, challengePath, fallbackPath, isCertificateName } from "./automatic-files.ts"
import { CertificateStore } from "./certificate-store.ts"
import { ChallengeCertificates } from "./challenge-certificates.ts"

const DAY_MS = 86_400_000
const top = mkdtempSync(join(tmpdir(), "bothways-automatic-"))
afterAll(() => rmSync(top, { recursive: true }))

let folders = 0
function folder(): string {
  const path = join(top, String(folders++))
  put(fallbackPath(path), "fallback.test")
  return path
}

function put(path: string, ...names: string[]): void {
  const { cert, key } = selfSigned(names, DAY_MS)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, key + cert)
  renameSync(`${path}.new`, path)
}

const namesOf = (store: CertificateStore): string[] => store.pairs.map(pair => pair.names.join(" "))

test("the fallback serves until the first certificate is there, and then that one is the default", () => {
  const at = folder()
  const store = new CertificateStore({ certificates: [], automatic: { folder: at, names: ["a.test", "*.b.test"], onDemand: false } })
  expect(namesOf(store)).toEqual(["fallback.test"])
  let told = 0
  store.onDefaultChange(() => told++)
  const before = store.defaultContext
  put(bundlePath(at, "a.test"), "a.test")
  expect(store.refresh()).toBe(true)
  expect([told, store.defaultContext === before, namesOf(store)]).toEqual([1, false, ["a.test"]])
  put(bundlePath(at, "*.b.test"), "*.b.test")
  store.refresh()
  expect(store.contextFor("x.b.test")).toBeDefined()
  expect(store.contextFor("a.test")).toBe(store.defaultContext)
})

test("a renewed bundle is taken, a damaged one is waited for", () => {
  const at = folder()
  const path = bundlePath(at, "a.test")
  writeFileSync(path, "half of a certif")
  const store = new CertificateStore({ certificates: [], automatic: { folder: at, names: ["a.test"], onDemand: false } })
  expect(namesOf(store)).toEqual(["fallback.test"])
  put(path, "a.test")
  store.refresh()
  const { serialNumber } = store.pairs[0]!
  put(path, "a.test")
  store.refresh()
  expect(store.pairs[0]!.serialNumber).not.toBe(serialNumber)
})

test("a name that nobody told of is found when it is asked for, where that is allowed, and never becomes the default", () => {
  const at = folder()
  const open = new CertificateStore({ certificates: [], automatic: { folder: at, names: [], onDemand: true } })
  const closed = new CertificateStore({ certificates: [], automatic: { folder: at, names: [], onDemand: false } })
  expect(open.contextFor("late.test")).toBeUndefined()
  put(bundlePath(at, "late.test"), "late.test")
  const before = open.defaultContext
  expect(open.contextFor("Late.test.")).toBeDefined()
  expect(open.defaultContext).toBe(before)
  expect(closed.contextFor("late.test")).toBeUndefined()
  rmSync(bundlePath(at, "late.test"))
  open.refresh()
  expect(open.contextFor("late.test")).toBeUndefined()
})

test("a client's name never leads out of the folder", () => {
  for (const name of ["../a", "a/b", "", "A.test", "127.0.0.1", "a..b", "*.a.test", "a\0b"]) expect(isCertificateName(name)).toBe(false)
  expect(isCertificateName("xn--bcher-kva.test")).toBe(true)
})

test("challenges come and go as files", () => {
  const at = folder()
  const challenges = new ChallengeCertificates(at)
  expect([challenges.any(), challenges.contextFor("a.test")]).toEqual([false, undefined])
  put(challengePath(at, "a.test"), "a.test")
  expect(challenges.any()).toBe(true)
  expect(challenges.contextFor("A.test")).toBeDefined()
  expect(challenges.contextFor("b.test")).toBeUndefined()
  rmSync(challengePath(at, "a.test"))
  expect(challenges.any()).toBe(false)
})
