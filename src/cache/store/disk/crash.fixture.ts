import { hashString } from "../../../base/index.ts"
import { get, keyOf, octetsOf, openStore, writeAll } from "./disk.fixture.ts"

/**
 * A process that is killed: `path` of the store, how many writers at a time. Says how long the start took, what it found there and whether all of it was whole,
 * then writes until it is ended.
 */
const [path, writers] = [process.argv[2]!, Number(process.argv[3])]
const KEYS = 1500

/** Lengths follow from the key, so that what is found can be checked: most small, some of several blocks. */
function lengthOf(name: string): number {
  const random = hashString(name, 3)
  return random % 25 === 0 ? random % 700_000 : random % 9000
}

const startedMs = performance.now()
const { store, end } = await openStore({ path, bytes: 24_000_000, entriesMax: 2000, writersMax: writers, scanPauseMs: 1 })
const openMs = performance.now() - startedMs
const { bytes, entries } = store.stats()
let loaded = 0
let broken = 0
for (let n = 0; n < KEYS; n++) {
  const name = `${n}`
  const found = await get(end, keyOf(name))
  if (found === null) continue
  loaded++
  if (found.head !== name || found.body?.equals(octetsOf(name, lengthOf(name))) !== true) broken++
}
const faults = Object.entries(store.stats().counts).filter(([what, count]) => what.endsWith("Faults") && count > 0)
console.log(JSON.stringify({ openMs, loaded, broken, bytes, entries, faults }))

let turn = Number(process.argv[4])
async function write(): Promise<void> {
  while (true) {
    const name = `${(turn = (turn * 31 + 7) % KEYS)}`
    const body = octetsOf(name, lengthOf(name))
    const writer = end.begin(keyOf(name), Buffer.from(name), turn % 2 === 0 ? body.length : -1, [`${turn % 10}`])
    if (writer === null) await new Promise(resolve => setTimeout(resolve, 1))
    else {
      await writeAll(writer, body, 5000)
      const stored = await writer.commit()
      // Each of the other things that change files, now and then.
      if (stored && turn % 7 === 0) await end.updateHead(keyOf(name), writer.version, Buffer.from(name), [])
      if (turn % 50 === 0) await end.remove(keyOf(name))
      if (turn % 400 === 0) await store.purge({ by: "label", label: `${turn % 10}` }, turn % 3 === 0)
    }
  }
}
for (let n = 0; n < writers; n++) void write()
