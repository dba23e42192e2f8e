import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createHash } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseConfig } from "../load.ts"
import type { Config } from "../schema.ts"
import type { LiveCluster } from "./dry-peers.ts"
import { explain } from "./explain.ts"
import type { Explanation } from "./explanation.ts"
import type { ExplainRequest } from "./request-text.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-explain-"))
process.on("exit", () => rmSync(directory, { recursive: true, force: true }))
// The password is "right", as SHA-1 so that the check is quick.
writeFileSync(join(directory, "users"), `alice:{SHA}${createHash("sha1").update("right").digest("base64")}\n`)
writeFileSync(join(directory, "index.html"), "<p>hello</p>")

/** The config of a text; files that it names are in a folder with `users` and `index.html`. */
export function configOf(text: string): Config {
  const result = parseConfig(text, join(directory, "bothways.yaml"))
  if (!result.ok) throw new Error(result.problems.map(problem => problem.message).join("; "))
  return result.config
}

/** Asks about a plain GET of http://a.test/ unless told otherwise. */
export function ask(config: Config | string, request: Partial<ExplainRequest>, live: readonly LiveCluster[] | null = null): Promise<Explanation> {
  const whole = { method: "GET", url: "http://a.test/", fields: [], from: "127.0.0.1", listener: null, ...request }
  return explain(typeof config === "string" ? configOf(config) : config, whole, { baseDir: directory, live, waitMs: 1000 })
}

export const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`

/** A site with every kind of destination. */
export const site = configOf(`
listeners:
  web: { bind: "127.0.0.1:8080", trustedHops: ["10.0.0.0/8"] }
clusters:
  shop: { peers: ["127.0.0.1:9001", { address: "127.0.0.1:9002", weight: 0 }, { address: "[::1]:9003", backup: true }], retry: { attempts: 3, status: ["502-504"] }, timeouts: { request: 9s } }
  users: { peers: ["127.0.0.1:9011", "127.0.0.1:9012", "127.0.0.1:9013"], balance: { consistent-hash: { key: "cookie:sid" } } }
  named: { peers: ["app.test:80", "127.0.0.1:9021"], balance: { consistent-hash: { key: client } } }
caches: { main: { memory: 1MB } }
routes:
  - { name: uploads, match: { path: "/up/*", method: POST }, to: { cluster: shop }, bodyBytesMax: 1KB }
  - { name: cached, match: { path: "/cached/*" }, filters: [ { cache: { store: main } }, { headers: { request: { set: { X-Key: "s3cret" }, remove: [Cookie] } } } ], to: { cluster: shop } }
  - { name: users, match: { path: "/me/*" }, to: { cluster: users } }
  - { name: named, match: { path: "/named" }, to: { cluster: named } }
  - { name: old, match: { path: "/old" }, to: { redirect: { to: "https://new.test$path" } } }
  - { name: files, match: { path: "/files/*" }, to: { files: { root: ".", strip: "/files" } } }
  - { name: inside, match: { client: "192.0.2.0/24" }, to: { respond: { status: 200, body: inside } } }
`)
