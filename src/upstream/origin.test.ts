import { expect, test } from "bun:test"
import type { Exchange } from "../flow/index.ts"
import type { ClientConnection, Time } from "../http/index.ts"
import { type OriginParts, Origins } from "./origins.ts"
import type { Pool } from "./pool.ts"

const pool = {
  idleMax: 8,
  idleTimeoutMs: 30_000,
  connectionsMax: 0,
  requestsMax: 0,
  waitTimeoutMs: 1000,
  waitersMax: 2,
  headBytesMax: 1024,
  fieldsMax: 16,
}

/** Leaves an idle connection in the pool; tells of its end. */
function leaveIdle(of: Pool, closed: () => void): void {
  expect(of.mayDial()).toBe(true)
  const connection = {
    usable: true,
    served: 1,
    keepFor() {},
    close() {
      closed()
      of.gone(connection as unknown as ClientConnection)
    },
  }
  of.idle(connection as unknown as ClientConnection, 0)
}

test("a client that goes from name to name does not fill the memory with idle connections", () => {
  const origins = new Origins({ time: {} as Time, pool } as OriginParts)
  const closed: number[] = []
  for (let i = 0; i < 5000; i++)
    leaveIdle(origins.poolFor({ scheme: "http", host: `${i}.test`, port: 80, notes: null } as unknown as Exchange, null), () => void closed.push(i))
  expect(origins.counts()).toEqual({ busy: 0, idle: 4096 })
  // The oldest went first.
  expect([closed[0], closed.at(-1), closed.length]).toEqual([0, 903, 904])
})

test("who asked last is not answered from a pool that has gone", () => {
  const origins = new Origins({ time: {} as Time, pool } as OriginParts)
  const first = origins.poolFor({ scheme: "http", host: "0.test", port: 80, notes: null } as unknown as Exchange, null)
  for (let i = 1; i < 5000; i++)
    leaveIdle(origins.poolFor({ scheme: "http", host: `${i}.test`, port: 80, notes: null } as unknown as Exchange, null), () => {})
  expect(origins.poolFor({ scheme: "http", host: "0.test", port: 80, notes: null } as unknown as Exchange, null)).not.toBe(first)
  expect(origins.counts().idle).toBeLessThanOrEqual(4096)
})
