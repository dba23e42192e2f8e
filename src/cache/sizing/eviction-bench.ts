import { Lru } from "./lru.fixture.ts"
import { S3Fifo } from "./s3-fifo.ts"
import { makeTrace, type Trace, type TraceShape } from "./traces.fixture.ts"
import { WTinyLfu } from "./w-tiny-lfu.fixture.ts"

// Hit ratios of ways to evict, by requests and by octets: the table of docs/decisions/0019. About four minutes.
//   eviction-bench.ts [REQUESTS [PARTS]]    no entry may have more than one of PARTS parts of the cache
const requests = Number(process.argv[2] ?? 2_000_000)
const parts = Number(process.argv[3] ?? 4)
const seeds = [1, 2, 3]
const cacheShares = [0.001, 0.01, 0.1]

const shapes: readonly TraceShape[] = [
  { name: "0.7, nothing else", requests, objects: requests / 2, alpha: 0.7, onceShare: 0.1 },
  { name: "0.9, nothing else", requests, objects: requests / 4, alpha: 0.9, onceShare: 0.08 },
  { name: "1.1, nothing else", requests, objects: requests / 4, alpha: 1.1, onceShare: 0.03 },
  { name: "0.9, bursts", requests, objects: requests / 4, alpha: 0.9, onceShare: 0.15, burstShare: 0.3 },
  { name: "0.9, drift", requests, objects: requests / 4, alpha: 0.9, onceShare: 0.08, driftEvery: 50 },
  { name: "0.9, drift and bursts", requests, objects: requests / 4, alpha: 0.9, onceShare: 0.15, driftEvery: 50, burstShare: 0.2 },
  { name: "1.0, a crawler", requests, objects: requests * 0.15, alpha: 1, onceShare: 0.1, walkShare: 0.1, walkObjects: requests * 0.15 },
  { name: "0.8, a loop", requests, objects: requests / 4, alpha: 0.8, onceShare: 0.1, walkShare: 0.15, walkObjects: requests / 200 },
]

interface Policy {
  request(id: number): boolean
}

interface Room {
  readonly capacity: number
  readonly entryBytesMax: number
  readonly entries: number
}

const policies: readonly [string, (room: Room, sizes: Float64Array) => Policy][] = [
  ["LRU", (room, sizes) => new Lru(room, sizes)],
  ["S3-FIFO", (room, sizes) => new S3Fifo(room, sizes)],
  ["after 1 use", (room, sizes) => new S3Fifo({ ...room, promoteUses: 1 }, sizes)],
  ["by size", (room, sizes) => new S3Fifo({ ...room, bySize: true }, sizes)],
  ["W-TinyLFU", (room, sizes) => new WTinyLfu(room, sizes)],
]

console.log(`| requests | cache | ${policies.map(([name]) => name).join(" | ")} |`)
console.log(`|---|--:|${"--:|".repeat(policies.length)}`)
for (const shape of shapes) {
  const traces = seeds.map(seed => makeTrace(shape, seed))
  const once = traces.map(trace => `${(100 * trace.askedOnce).toFixed(0)} %`)
  const footprints = traces.map(trace => `${(trace.footprint / 2 ** 30).toFixed(1)} GB`)
  console.error(`${shape.name}: ${once.join(", ")} of the objects asked for once, footprints ${footprints.join(", ")}`)
  for (const share of cacheShares)
    console.log(`| ${shape.name} | ${share * 100} % | ${policies.map(([, make]) => cell(traces, share, make)).join(" | ")} |`)
}

/** Mean hit ratio over the traces, by requests and by octets. */
function cell(traces: readonly Trace[], share: number, make: (room: Room, sizes: Float64Array) => Policy): string {
  const ratios = traces.map(trace => {
    const capacity = trace.footprint * share
    const room = { capacity, entryBytesMax: capacity / parts, entries: Math.round(trace.objects * share) }
    return hitRatios(trace, make(room, trace.sizes))
  })
  const mean = (pick: (of: { byRequests: number; byOctets: number }) => number): string =>
    ((100 * ratios.reduce((sum, each) => sum + pick(each), 0)) / ratios.length).toFixed(1)
  return `${mean(each => each.byRequests)} / ${mean(each => each.byOctets)}`
}

function hitRatios(trace: Trace, policy: Policy): { byRequests: number; byOctets: number } {
  let hits = 0
  let hitOctets = 0
  let octets = 0
  for (const id of trace.ids) {
    const bytes = trace.sizes[id]!
    octets += bytes
    if (!policy.request(id)) continue
    hits++
    hitOctets += bytes
  }
  return { byRequests: hits / trace.ids.length, byOctets: hitOctets / octets }
}
