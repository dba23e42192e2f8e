import { describe, expect, test } from "bun:test"
import { FAULT } from "../base/index.ts"
import type { ClientConnection, Time, UpstreamConnection } from "../http/index.ts"
import { Pool, type PoolSettings } from "./pool.ts"

const settings: PoolSettings = {
  idleMax: 8,
  idleTimeoutMs: 55_000,
  connectionsMax: 0,
  requestsMax: 0,
  waitTimeoutMs: 1000,
  waitersMax: 2,
  headBytesMax: 1024,
  fieldsMax: 16,
  streamsMax: 100,
  protocol: "http1",
  secure: false,
}

/** A connection as far as a pool looks at it. Tells the pool of its end, as the real one does. */
class FakeConnection {
  usable = true
  served = 1
  keptFor = 0
  private readonly pool: Pool

  constructor(pool: Pool) {
    this.pool = pool
  }

  get real(): ClientConnection {
    return this as unknown as ClientConnection
  }

  keepFor(ms: number): void {
    this.keptFor = ms
  }

  close(): void {
    if (!this.usable) return
    this.usable = false
    this.pool.gone(this.real)
  }
}

function poolOf(changes: Partial<PoolSettings>, owner = { saturated: false }): Pool {
  return new Pool({ ...settings, ...changes }, {} as Time, owner)
}

/** Dials and serves `count` requests at once, then leaves the connections idle. */
function idle(pool: Pool, count: number, limitMs = 0): FakeConnection[] {
  const connections = Array.from({ length: count }, () => {
    expect(pool.mayDial()).toBe(true)
    return new FakeConnection(pool)
  })
  for (const connection of connections) pool.idle(connection.real, limitMs)
  return connections
}

describe("idle connections", () => {
  test("are reused last in, first out", () => {
    const pool = poolOf({})
    const [first, second] = idle(pool, 2)
    expect(pool.reuse()).toBe(second!.real)
    expect(pool.reuse()).toBe(first!.real)
    expect(pool.reuse()).toBeNull()
    expect([pool.busyCount, pool.idleCount]).toEqual([2, 0])
  })

  test("are all closed with the pool, and none is counted twice", () => {
    const pool = poolOf({})
    const connections = idle(pool, 3)
    expect(pool.reuse()).toBe(connections[2]!.real)
    pool.close()
    expect(connections.map(one => one.usable)).toEqual([false, false, true])
    expect([pool.busyCount, pool.idleCount]).toEqual([1, 0])
    pool.idle(connections[2]!.real, 0)
    expect(connections[2]!.usable).toBe(false)
    expect([pool.busyCount, pool.idleCount]).toEqual([0, 0])
  })

  test("are let go before the peer's own limit", () => {
    const kept = (limitMs: number): number => idle(poolOf({}), 1, limitMs)[0]!.keptFor
    expect([kept(0), kept(60_000), kept(5000), kept(1000)]).toEqual([55_000, 55_000, 4000, 500])
  })

  test("give their place to a new one when the pool is full", () => {
    const pool = poolOf({ connectionsMax: 2 })
    const [first, second] = idle(pool, 2)
    expect(pool.mayDial()).toBe(true)
    expect([first!.usable, second!.usable]).toEqual([true, false])
    expect([pool.busyCount, pool.idleCount]).toEqual([1, 1])
  })

  test("beyond idleMax, or after requestsMax requests, are closed", () => {
    const few = poolOf({ idleMax: 1 })
    expect(idle(few, 2).map(one => one.usable)).toEqual([true, false])
    const worn = poolOf({ requestsMax: 1 })
    expect(idle(worn, 1)[0]!.usable).toBe(false)
    expect([worn.busyCount, worn.idleCount]).toEqual([0, 0])
  })
})

describe("a full pool", () => {
  test("serves its queue in order, and says when nobody else may queue", () => {
    const owner = { saturated: false }
    const pool = poolOf({ connectionsMax: 1 }, owner)
    expect(pool.mayDial()).toBe(true)
    const turns: string[] = []
    const waiter = (name: string) => ({
      onSharedFailed: () => {},
      onHttp3Wanted: () => {},
      onTurn: (connection: UpstreamConnection | null) => void turns.push(connection === null ? `${name} dials` : name),
    })
    const [a, b, c] = [waiter("a"), waiter("b"), waiter("c")]
    expect([pool.mayDial(), pool.wait(a), owner.saturated, pool.wait(b), owner.saturated, pool.wait(c)]).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
    ])
    const connection = new FakeConnection(pool)
    pool.idle(connection.real, 0)
    expect([turns, owner.saturated]).toEqual([["a"], false])
    connection.close()
    expect(turns).toEqual(["a", "b dials"])
    pool.dialFailed(FAULT.connectRefused)
    expect([pool.busyCount, pool.idleCount]).toEqual([0, 0])
  })

  test("forgets who gives up", () => {
    const owner = { saturated: false }
    const pool = poolOf({ connectionsMax: 1, waitersMax: 1 }, owner)
    pool.mayDial()
    const waiter = { onTurn: () => expect.unreachable(), onSharedFailed: () => {}, onHttp3Wanted: () => {} }
    pool.wait(waiter)
    expect(owner.saturated).toBe(true)
    pool.forget(waiter)
    expect(owner.saturated).toBe(false)
    new FakeConnection(pool).close()
    expect(pool.busyCount).toBe(0)
  })
})
