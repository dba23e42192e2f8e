import { Key } from "../key.ts"
import { attachMemoryStore, createMemoryStore } from "./create-memory-store.ts"
import { MemoryStoreSupervisor } from "./supervisor.ts"

// What the store costs by itself, in nanoseconds, in one thread. Each line is the best of five rounds.
//   memory-store-bench.ts [ENTRIES]    how many entries hits are spread over, default 10,000
const entries = Number(process.argv[2] ?? 10_000)
const rounds = 5
const head = new Uint8Array(400).fill(0x61)
const body = new Uint8Array(1024).fill(0x62)
const store = attachMemoryStore(createMemoryStore({ bytes: 256 * 2 ** 20, threadsMax: 4 }), 1)
const keys = Array.from({ length: entries }, (_, i) => new Key(`https://www.example.com/articles/2024/page-${i}.html`, "#main"))
const absent = keys.map(({ group }) => new Key(group, "#none"))
for (const key of keys) insert(key, body.length)
const places = keys.map(key => {
  const found = store.find(key)!
  const at = [found.place, found.generation] as const
  found.release()
  return at
})

measure("find a hit, release", 1_000_000, i => store.find(keys[i % entries]!)!.release())
measure("find, state, head, bodyLength, piece(0), touch, release", 1_000_000, i => read(keys[i % entries]!))
measure("hold by place, release", 1_000_000, i => {
  const [place, generation] = places[i % entries]!
  store.hold(place, generation)!.release()
})
measure("find a miss", 1_000_000, i => void store.find(absent[i % entries]!))
measure("replace by 1 KB of known length", 200_000, i => insert(keys[i % entries]!, body.length))
measure("replace by 1 KB of unknown length", 200_000, i => insert(keys[i % entries]!, -1))

const fresh = Array.from({ length: 400_000 }, (_, i) => new Key(`https://www.example.com/articles/2025/page-${i}.html`, ""))
measure("insert 1 KB, evicting", 400_000 / rounds, i => insert(fresh[i]!, body.length), true)
console.log(new MemoryStoreSupervisor(store).stats())

function insert(key: Key, length: number): void {
  const entry = store.begin(key, true)!
  entry.setHead(head, length, [])
  entry.append(body)
  entry.complete()
  entry.release()
}

function read(key: Key): number {
  const entry = store.find(key)!
  const sum = entry.state + entry.head.length + entry.bodyLength + entry.piece(0).length
  entry.touch()
  entry.release()
  return sum
}

function measure(name: string, times: number, run: (i: number) => unknown, goesOn = false): void {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const from = goesOn ? round * times : 0
    const start = Bun.nanoseconds()
    for (let i = from; i < from + times; i++) run(i)
    best = Math.min(best, (Bun.nanoseconds() - start) / times)
  }
  console.log(`${best.toFixed(0).padStart(6)} ns  ${name}`)
}
