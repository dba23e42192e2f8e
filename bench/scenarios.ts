import type { Running } from "./contenders.ts"
import { idleBytes } from "./load/idle.ts"
import { exactStreams } from "./load/h2load.ts"
import { ownClient } from "./load/own-client.ts"
import { wrk } from "./load/wrk.ts"
import { smallBody } from "./setting.ts"

export interface Scenario {
  readonly name: string
  readonly what: string
  /** Names of the contenders that can do this work. */
  readonly against: readonly string[]
  /** What the figure is: CPU time, divided by the number that `load` gives, or the figure itself. */
  readonly unit: "µs a request" | "µs a handshake" | "KB a connection"
  /** How long everything settles before it is measured; default 1. Requests that cost more come more slowly, and it is their number that counts. */
  readonly settleSeconds?: number
  /** Puts the load on; gives the number of requests answered, or for memory the figure in octets. */
  load(at: Running, seconds: number, originPort: number): Promise<number>
}

const reverse = ["nginx", "HAProxy", "Caddy"]
const local = (port: number, path = "/"): string => `http://127.0.0.1:${port}${path}`

export const scenarios: readonly Scenario[] = [
  {
    name: "h1",
    what: `reverse, HTTP/1.1 kept alive, ${smallBody.length} B`,
    against: reverse,
    unit: "µs a request",
    load: (at, seconds) => wrk(local(at.plain), { seconds }),
  },
  {
    name: "tls",
    what: "the same over TLS",
    against: reverse,
    unit: "µs a request",
    load: (at, seconds) => wrk(`https://localhost:${at.tls}/`, { seconds }),
  },
  {
    name: "h2",
    what: "HTTP/2 over TLS, 16 requests at a time on each connection",
    against: reverse,
    unit: "µs a request",
    load: (at, seconds) => exactStreams(`https://localhost:${at.tls}/`, seconds * 15_000),
  },
  {
    name: "close",
    what: "reverse, a new connection for each request",
    against: reverse,
    unit: "µs a request",
    load: (at, seconds) => wrk(local(at.plain), { seconds, headers: ["Connection: close"] }),
  },
  {
    name: "big",
    what: "reverse, 100 KB bodies",
    against: reverse,
    unit: "µs a request",
    load: (at, seconds) => wrk(local(at.plain, "/files/100k"), { seconds, connections: 16 }),
  },
  ...[1, 6].map(
    (level): Scenario => ({
      name: `gzip${level}`,
      what: `reverse, 20 KB of JSON, gzip level ${level} on the way`,
      against: ["nginx"],
      unit: "µs a request",
      settleSeconds: 4,
      load: (at, seconds) => wrk(local(at.plain, `/gzip${level}/20k.json`), { seconds, headers: ["Accept-Encoding: gzip"] }),
    }),
  ),
  {
    name: "static",
    what: "a file of 1 KB",
    against: ["nginx"],
    unit: "µs a request",
    load: (at, seconds) => wrk(local(at.plain, "/static/1k"), { seconds }),
  },
  {
    name: "handshake",
    what: "full TLS 1.3 handshakes",
    against: reverse,
    unit: "µs a handshake",
    load: at => ownClient("handshake-client", [at.tls, 1500]),
  },
  {
    name: "forward",
    what: "forward, absolute-form, kept alive, not cached",
    against: ["Squid"],
    unit: "µs a request",
    load: (at, seconds, originPort) => ownClient("forward-client", [at.forward, local(originPort), `${seconds}s`, 64]),
  },
  {
    name: "idle",
    what: "memory of an idle connection",
    against: ["nginx", "HAProxy"],
    unit: "KB a connection",
    load: at => idleBytes(at.pid, at.plain, false),
  },
  {
    name: "idle-tls",
    what: "memory of an idle TLS connection",
    against: ["nginx", "HAProxy"],
    unit: "KB a connection",
    load: at => idleBytes(at.pid, at.tls, true),
  },
]
