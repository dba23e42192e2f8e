// The same model in TypeScript, where a matcher or a filter may be a function. Start it with `bothways run examples/bothways.config.ts`.
// In a folder of your own, import `defineConfig` by the path to this one, or export the bare object: `defineConfig` only gives it its type.
import { defineConfig } from "../src/config/index.ts"

const peers = [9001, 9002, 9003].map(port => `127.0.0.1:${port}`)

export default defineConfig({
  listeners: { web: { bind: ":8080" } },
  clusters: { app: { peers, balance: "power-of-two" } },
  routes: [
    {
      name: "short-queries",
      match: { path: "/search", when: x => x.query.length < 200 },
      to: { cluster: "app" },
    },
    { name: "long-queries", match: { path: "/search" }, to: { respond: { status: 414, body: "that is too long to look for\n" } } },
    { name: "app", to: { cluster: "app" } },
  ],
})
