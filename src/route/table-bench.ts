import type { MatcherDefinition } from "../plugin/index.ts"
import { compileRoutes } from "./compile-routes.ts"
import { exchangeOf, type Facts } from "./exchange-of.fixture.ts"
import host from "./match/host/host.ts"
import path from "./match/path/path.ts"

// Nanoseconds of one look-up: `bun src/route/table-bench.ts`, about two seconds. Every table ends with a catch-all; a tenth of the requests fall to it.
const matchers = [host, path] as readonly MatcherDefinition<unknown>[]
const sizes = [10, 1000, 10_000]

interface Shape {
  readonly name: string
  match(i: number): Record<string, unknown>
  facts(i: number): Facts
}

const shapes: readonly Shape[] = [
  { name: "by host", match: i => ({ host: `shop-${i}.example.test` }), facts: i => ({ host: `shop-${i}.example.test`, path: "/assets/app.js" }) },
  { name: "by wildcard host", match: i => ({ host: `*.shop-${i}.test` }), facts: i => ({ host: `www.shop-${i}.test`, path: "/assets/app.js" }) },
  { name: "by exact path", match: i => ({ path: `/api/v1/thing-${i}` }), facts: i => ({ host: "shop.example.test", path: `/api/v1/thing-${i}` }) },
  {
    name: "by path prefix",
    match: i => ({ path: `/api/v1/thing-${i}/*` }),
    facts: i => ({ host: "shop.example.test", path: `/api/v1/thing-${i}/items/17` }),
  },
  {
    name: "by host and prefix",
    match: i => ({ host: `shop-${i >> 2}.example.test`, path: `/part-${i & 3}/*` }),
    facts: i => ({ host: `shop-${i >> 2}.example.test`, path: `/part-${i & 3}/items/17` }),
  },
]

for (const shape of shapes) {
  const figures = sizes.map(size => `${String(size).padStart(6)} routes ${measure(shape, size).toFixed(0).padStart(4)} ns`)
  console.log(`${shape.name.padEnd(20)}${figures.join("  ")}`)
}

/** The best of several rounds: the machine is shared. */
function measure(shape: Shape, size: number): number {
  const routes = Array.from({ length: size }, (_, i) => ({ match: shape.match(i) }))
  const table = compileRoutes([...routes, { match: {} }], matchers)
  // A request comes with strings of its own, never the config's.
  const exchanges = Array.from({ length: 1000 }, (_, i) => exchangeOf(shape.facts(i % 10 === 9 ? size + i : (i * 7919) % size)))
  const calls = 20_000
  let best = Number.POSITIVE_INFINITY
  let sum = 0
  for (let round = 0; round < 12; round++) {
    const started = performance.now()
    for (let i = 0; i < calls; i++) sum += table.find(exchanges[i % exchanges.length]!)
    best = Math.min(best, ((performance.now() - started) * 1e6) / calls)
  }
  if (sum < 0) throw new Error("a catch-all cannot miss")
  return best
}
