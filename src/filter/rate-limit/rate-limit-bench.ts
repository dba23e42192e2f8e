import { TickClock, TimerWheel } from "../../base/index.ts"
import { Exchange } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"
import ban from "../ban/ban.ts"
import concurrencyLimit from "../concurrency-limit/concurrency-limit.ts"
import count from "../count/count.ts"
import rateLimit from "./rate-limit.ts"

// Nanoseconds of one check on the data path: `bun src/filter/rate-limit/rate-limit-bench.ts`. Clients take turns, so that keys do not stay in the nearest cache.
const CLIENTS = 1000
const ROUNDS = 1_000_000

const clock = new TickClock()
let slots = 0
const deps = {
  place: "routes/bench/filter#0",
  time: { clock, wheel: new TimerWheel(clock.now()) },
  slot: () => slots++,
  counter: () => ({ add() {} }),
  shared: (_: string, bytes: number) => new SharedArrayBuffer(bytes),
} as unknown as FilterDeps

const exchanges = Array.from({ length: CLIENTS }, (_, i) => {
  const x = Object.assign(new Exchange(), { clientAddress: `10.0.${i >> 8}.${i & 255}`, path: "/a", status: 200, headSent: true })
  x.request = Fields.of([["X-Api-Key", `key-${i}`]])
  return x
})

function measure(name: string, run: (x: Exchange) => void): void {
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    clock.tick()
    const start = performance.now()
    for (let i = 0; i < ROUNDS; i++) run(exchanges[i % CLIENTS]!)
    best = Math.min(best, ((performance.now() - start) * 1e6) / ROUNDS)
  }
  console.log(`${name.padEnd(60)} ${best.toFixed(0).padStart(5)} ns`)
}

function limit(options: object): (x: Exchange) => void {
  const filter = rateLimit.build(rateLimit.options.parse({ requests: 1e9, per: "1s", ...options }), deps)
  const { access, response } = filter
  if (response === undefined) return x => void access!(x)
  return x => {
    access!(x)
    response(x)
    x.response.extra = ""
  }
}

measure("nothing", () => {})
measure("sliding window by client", limit({ fields: "off" }))
measure("token bucket by client", limit({ fields: "off", burst: 1_000_000 }))
measure("fixed window by client", limit({ fields: "off", algorithm: "fixed-window" }))
measure("sliding window by a field of the request", limit({ fields: "off", key: "${requestField:x-api-key}" }))
measure("sliding window by client and path", limit({ fields: "off", key: "$client$path" }))
measure("sliding window by client, with RateLimit fields", limit({}))
measure("refused", limit({ requests: 1, per: "1h", fields: "off" }))
const concurrent = concurrencyLimit.build(concurrencyLimit.options.parse({ requests: 10 }), deps)
measure("concurrency by client, there and back", x => {
  concurrent.access!(x)
  concurrent.log!(x)
})
const counter = count.build(count.options.parse({ name: "n" }), deps)
measure("count by client", x => void counter.access!(x))
const bans = ban.build(ban.options.parse({ when: { status: 401, times: 5 } }), deps)
measure("ban by client, nobody banned", x => {
  bans.access!(x)
  bans.log!(x)
})
