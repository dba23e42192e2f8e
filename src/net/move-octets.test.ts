import { afterEach, describe, expect, test } from "bun:test"
import { connect, type Socket } from "node:net"
import { openPipe } from "./libc.ts"
import { canMove, holdPipe, MOVE_BROKEN, moveOctets, movedRest, releasePipe, UNMOVABLE } from "./move-octets.ts"
import { descriptors } from "./test-dial.ts"
import { Door, startDoor, watched } from "./test-door.ts"
import { until } from "./test-time.ts"
import type { Wire } from "./wire.ts"

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** An accepted connection that nobody reads by events, and its client. */
async function held(): Promise<{ wire: Wire; socket: Socket; received: () => string; door: Door }> {
  const { door, at } = startDoor(stops, {}, new Door())
  door.echoes = false
  const client = await watched(connect(at.port, "127.0.0.1"))
  await until(() => door.seen.length === 1, "the connection")
  const { wire } = door.seen[0]!
  wire.pause()
  stops.push(() => client.socket.destroy())
  return { wire, socket: client.socket, received: () => client.received, door }
}

/** A pipe for the test. */
function pipe(): void {
  expect(holdPipe()).toBe(true)
  stops.push(releasePipe)
}

const settle = () => new Promise(resolve => setTimeout(resolve, 2))
// A prime length: what is lost or doubled shows at once.
const pattern = Buffer.from(Array.from({ length: 65_521 }, (_, at) => (at * 31 + (at >> 8)) & 255))
const octets = (count: number): Buffer => Buffer.alloc(count, pattern)

describe("octets that are moved", () => {
  test("come out as they went in, at most 128 KB in a call; the end is left to events", async () => {
    pipe()
    const [from, to] = [await held(), await held()]
    expect(canMove(from.wire, to.wire)).toBe(true)
    expect(moveOctets(from.wire, to.wire)).toBe(0)
    const sent = octets(600_000)
    from.socket.end(sent)
    let moved = 0
    while (moved < sent.length) {
      const count = moveOctets(from.wire, to.wire)
      expect(count).toBeLessThanOrEqual(128 * 1024)
      expect(movedRest().length).toBe(0)
      moved += count
      await settle()
    }
    await until(() => to.received().length === sent.length, "all of it")
    expect(Buffer.from(to.received(), "latin1").equals(sent)).toBe(true)
    await settle()
    expect(moveOctets(from.wire, to.wire)).toBe(0)
    expect(from.door.seen[0]!.ended).toBe(0)
  })

  test("that nobody takes are given back, and none is lost", async () => {
    pipe()
    const [from, to] = [await held(), await held()]
    to.socket.pause()
    const sent = octets(16 * 1024 * 1024)
    from.socket.write(sent)
    let gone = 0
    let rest = Buffer.alloc(0)
    await until(() => {
      const count = moveOctets(from.wire, to.wire)
      rest = Buffer.from(movedRest())
      gone += count - rest.length
      return rest.length > 0
    }, "a full connection")
    expect(rest.equals(sent.subarray(gone, gone + rest.length))).toBe(true)
    to.socket.resume()
    await until(() => to.received().length === gone, "what was taken")
    expect(Buffer.from(to.received(), "latin1").equals(sent.subarray(0, gone))).toBe(true)
    // The pipe is empty: what is next is next.
    const next = moveOctets(from.wire, to.wire)
    expect(next).toBeGreaterThan(0)
    await until(() => to.received().length === gone + next - movedRest().length, "the next ones")
    const after = gone + rest.length
    expect(
      Buffer.from(to.received(), "latin1")
        .subarray(gone)
        .equals(sent.subarray(after, after + next - movedRest().length)),
    ).toBe(true)
  })

  test("are given back when the other side was reset, whose next write says so", async () => {
    pipe()
    const [from, to] = [await held(), await held()]
    to.socket.resetAndDestroy()
    from.socket.write("too late")
    await until(() => moveOctets(from.wire, to.wire) === 8, "the octets")
    expect(movedRest().toString()).toBe("too late")
    expect(to.wire.write(movedRest())).toBeLessThan(0)
  })

  test("stop when the connection they come from was reset", async () => {
    pipe()
    const [from, to] = [await held(), await held()]
    from.socket.resetAndDestroy()
    expect(moveOctets(from.wire, to.wire)).toBe(MOVE_BROKEN)
  })

  test("need two open connections and a pipe, which is closed with its last user", async () => {
    const [from, to] = [await held(), await held()]
    expect(moveOctets(from.wire, to.wire)).toBe(UNMOVABLE)
    const before = descriptors()
    expect([holdPipe(), holdPipe()]).toEqual([true, true])
    expect(descriptors()).toBe(before + 2)
    releasePipe()
    expect(moveOctets(from.wire, to.wire)).toBe(0)
    from.wire.terminate()
    expect(moveOctets(from.wire, to.wire)).toBe(UNMOVABLE)
    releasePipe()
    expect(moveOctets(to.wire, to.wire)).toBe(UNMOVABLE)
  })

  test("a pipe that may not be as large is none: one of a few pages costs more than reading and writing", () => {
    const before = descriptors()
    expect(openPipe(-1)).toBeNull()
    expect(descriptors()).toBe(before)
  })
})
