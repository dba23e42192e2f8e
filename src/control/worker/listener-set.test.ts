import { expect, test } from "bun:test"
import type { Snapshot } from "../../config/index.ts"
import type { ListenerRuntime } from "./listener-runtime.ts"
import { ListenerSet } from "./listener-set.ts"

/** A snapshot with one listener that binds nothing and whose key is another one each time. */
function snapshotOf(version: number): Snapshot {
  const listener = { bind: [], tls: null, proxyProtocol: null, forward: null, timeouts: { handshake: version } }
  return { version, config: { listeners: { web: listener } } } as unknown as Snapshot
}

test("listeners that a reload replaced are forgotten when their last connection is gone", () => {
  const connections: Set<unknown>[] = []
  let cut = 0
  const set = new ListenerSet(
    () => {
      const own = new Set<unknown>()
      connections.push(own)
      const runtime = {
        info: { name: "web", index: 0, secure: false, forward: false },
        secure: false,
        connections: own,
        listening: [],
        quic: [],
        udp: [],
        limitsId: 0,
        certificates: null,
        swap() {},
        retire() {},
        cut() {
          cut++
          return own.size
        },
      }
      return runtime as unknown as ListenerRuntime
    },
    0,
    1,
  )
  for (let version = 1; version <= 10; version++) {
    if (version === 3) connections[1]!.add("a long download")
    set.commit(set.prepare(snapshotOf(version), {}), snapshotOf(version))
  }
  expect([set.open, set.cut()]).toEqual([1, 1])
  // The live one, the last that was replaced, and the one with the download.
  expect(cut).toBe(3)
})
