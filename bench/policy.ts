import { parseConfig } from "../src/config/index.ts"
import { compileMatch } from "../src/config/compile/match.ts"
import { FakeDeps } from "../src/filter/filter-run.fixture.ts"
import policy from "../src/filter/policy/policy.ts"
import { Exchange, notesOf } from "../src/flow/index.ts"
import type { MatchUse } from "../src/plugin/index.ts"

// Nanoseconds that a policy takes in the access phase: `bun bench/policy.ts [RULES]`. Rules are of the kinds that schools write; the request fits none of them, so that
const RULES = Number(process.argv[2] ?? 50)
const ROUNDS = 200_000

const kinds: readonly ((i: number) => object)[] = [
  i => ({ host: [`a${i}.test`, `*.b${i}.test`, `*.c${i}.test`] }),
  i => ({ url: [`*://d${i}.test/ads/*`, `*://*.e${i}.test/banner/*`] }),
  i => ({ url: `~^https?://[^/]+/casino${i}/` }),
  i => ({ group: `group-${i}`, time: { days: "mon-fri", from: "08:00", to: "13:00", zone: "Europe/Berlin" } }),
  i => ({ time: { from: "02:00", to: "02:01", zone: "UTC" }, user: `user-${i}` }),
  i => ({ client: `10.${i & 255}.0.0/16`, method: "POST" }),
  i => ({ user: [`u${i}`, `*@f${i}.test`] }),
]

const rules = Array.from({ length: RULES }, (_, i) => ({ name: `r${i}`, match: kinds[i % kinds.length]!(i), action: "block" }))
const text = JSON.stringify({
  listeners: { egress: { bind: "127.0.0.1:3128", forward: true } },
  routes: [{ filters: [{ policy: { rules } }], to: { origin: {} } }],
})
const loaded = await parseConfig(text, `${import.meta.dirname}/policy.yaml`)
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))

class Deps extends FakeDeps {
  match(use: MatchUse) {
    return compileMatch(use, { reading: name => ({ name, text: name, read: () => 0 }), time: this.time })
  }
}

const filter = policy.build(loaded.config.routes[0]!.filters[0]!.options as never, new Deps())
const exchanges = Array.from({ length: 64 }, (_, i) => {
  const facts = {
    host: `www.site-${i}.example`,
    port: 443,
    method: "GET",
    scheme: "https",
    path: `/page/${i}`,
    rulePath: `/page/${i}`,
    user: `pupil-${i}`,
    clientAddress: "192.168.1.7",
  }
  const x = Object.assign(new Exchange(), facts)
  notesOf(x).groups = ["pupils", "class-7b"]
  return x
})

function round(): number {
  const start = performance.now()
  for (let i = 0; i < ROUNDS; i++) filter.access!(exchanges[i & 63]!)
  return ((performance.now() - start) / ROUNDS) * 1e6
}

const figures = Array.from({ length: 7 }, round).sort((a, b) => a - b)
console.log(`${RULES} rules, none of which holds: ${Math.round(figures[3]!)} ns a request (median of 7; best ${Math.round(figures[0]!)})`)
