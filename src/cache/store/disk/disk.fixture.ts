import { hashString } from "../../../base/index.ts"
import { Key, setKeySeed } from "../key.ts"
import { attachDiskStore } from "./attach-disk-store.ts"
import { createDiskStore, type SpawnKeeper } from "./create-disk-store.ts"
import type { AttachedDiskStore, DiskEntry, DiskOptions, DiskStats, DiskStore, DiskWriter } from "./disk-contract.ts"
import { type FileCalls, fileCalls } from "./file-calls.ts"
import { DiskKeeper } from "./keeper/disk-keeper.ts"
import { type KeeperFiles, keeperFiles } from "./keeper/keeper-files.ts"

const seed = 0x5eed
setKeySeed(seed)

/** What tests start stores with, unless they say otherwise: one worker's end in this thread. */
const small = { keySeed: seed, workersMax: 4, scanPauseMs: 0, retryMs: 50, entriesMax: 1000 }

/** A store with an end in this thread. With faults, the keeper is in this thread too, so that they can be put under it. */
export interface TestStore {
  readonly store: DiskStore
  readonly end: AttachedDiskStore
  close(): Promise<void>
}

export interface Faults {
  readonly files?: Partial<FileCalls>
  readonly keeperFiles?: Partial<KeeperFiles>
}

export async function openStore(options: Partial<DiskOptions> & { path: string; bytes: number }, faults: Faults = {}): Promise<TestStore> {
  const spawn = faults.keeperFiles === undefined ? undefined : spawnHere({ ...keeperFiles, ...faults.keeperFiles })
  const store = await createDiskStore({ ...small, ...options }, spawn)
  const end = attachDiskStore(store.attachment(0), 0, { ...fileCalls, ...faults.files })
  const close = async (): Promise<void> => {
    end.close()
    await store.close()
  }
  return { store, end, close }
}

/** A keeper in this thread. Messages are copied and come later, as between threads. */
export function spawnHere(files: KeeperFiles): SpawnKeeper {
  return (setup, events) => {
    const later = (act: () => void): void => void setImmediate(act)
    const keeper = new DiskKeeper(setup.settings, setup.shared, message => later(() => events.message(structuredClone(message))), files)
    later(() => keeper.start())
    return {
      post: message => later(() => keeper.hearControl(message)),
      terminate: () => Promise.resolve(),
    }
  }
}

export function keyOf(name: string, rest = ""): Key {
  return new Key(`http://shop.example/${name}`, rest)
}

/** Octets that follow from a name: what is read back can be checked without being kept. */
export function octetsOf(name: string, length: number): Buffer {
  const octets = Buffer.alloc(length)
  let state = hashString(name) | 1
  for (let at = 0; at < length; at++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223
    octets[at] = state >>> 24
  }
  return octets
}

/** Writes it all, pausing when asked to. */
export async function writeAll(writer: DiskWriter, octets: Uint8Array, piece = 65_536): Promise<void> {
  for (let at = 0; at < octets.length && !writer.failed; at += piece) {
    if (writer.write(octets.subarray(at, at + piece)) || writer.failed) continue
    await new Promise<void>(resolve => {
      writer.onDrain = resolve
      writer.onFail = resolve
    })
  }
}

/** Stores an entry; its head is its name. */
export async function put(end: AttachedDiskStore, key: Key, body: Uint8Array, labels: readonly string[] = []): Promise<boolean> {
  const writer = end.begin(key, Buffer.from(key.text), body.length, labels)
  if (writer === null) return false
  await writeAll(writer, body)
  return writer.commit()
}

/** The whole body; null = damaged on the way. */
export async function readBody(entry: DiskEntry, max = 100_000): Promise<Buffer | null> {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < entry.bodyLength; ) {
    const piece = await entry.read(at, max)
    if (piece === null || piece.length === 0) return null
    pieces.push(piece)
    at += piece.length
  }
  return Buffer.concat(pieces)
}

/** Head and body of an entry, as text and octets; null = a miss. */
export async function get(end: AttachedDiskStore, key: Key): Promise<{ head: string; body: Buffer | null; marked: boolean; version: number } | null> {
  const entry = await end.load(key)
  if (entry === null) return null
  const { marked, version } = entry
  const head = Buffer.from(entry.head).toString("latin1")
  const body = await readBody(entry)
  entry.close()
  return { head, body, marked, version }
}

/** Until the store is in this state. */
export async function untilState(store: DiskStore, state: DiskStats["state"], ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms
  while (store.stats().state !== state) {
    if (performance.now() > deadline) throw new Error(`the store is ${store.stats().state}, not ${state}, after ${ms} ms`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
