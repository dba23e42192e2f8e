import { Exchange, type Plan } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"

/** A finished exchange for tests of the log: one GET that a peer answered. `change` makes it another. */
export function sampleExchange(change: Partial<Exchange> = {}, fields: readonly (readonly [string, string])[] = []): Exchange {
  const x = new Exchange()
  const plan: Pick<Plan, "route"> = { route: { name: "shop", index: 0, cluster: "stock", metrics: 0 } }
  x.plan = plan as Plan
  x.listener = { name: "web", index: 0, secure: false, forward: false }
  x.clientAddress = "192.0.2.17"
  x.peerAddress = "198.51.100.9"
  x.method = "GET"
  x.host = "shop.example"
  x.authority = "shop.example:8080"
  x.port = 8080
  x.path = "/a/b"
  x.query = "?page=2"
  x.status = 200
  x.peerName = "127.0.0.1:9001"
  x.attempts = 1
  x.startedAt = 1000
  x.connectedAt = 1000.25
  x.sentAt = 1000.5
  x.headAt = 1002.758
  x.endedAt = 1003.1
  x.responseBytes = 1234
  x.request = Fields.of(fields)
  return Object.assign(x, change)
}
