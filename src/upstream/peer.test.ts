import { describe, expect, test } from "bun:test"
import { FakeClock } from "../base/index.ts"
import { endpointName, Peer, type PeerEndpoint } from "./peer.ts"
import { HEALTH_DOWN, PeerStates } from "./peer-states.ts"

const endpoint: PeerEndpoint = { address: "127.0.0.1", port: 9001, path: "", host: "shop.test", weight: 3, backup: false }

describe("Peer", () => {
  test("is named by what stays the same over reloads", () => {
    expect(endpointName(endpoint)).toBe("127.0.0.1:9001")
    expect(endpointName({ address: "::1", port: 80, path: "" })).toBe("[::1]:80")
    expect(endpointName({ address: "", port: 0, path: "/run/app.sock" })).toBe("unix:/run/app.sock")
  })

  test("two objects of one slot are one peer", () => {
    const states = PeerStates.create(4, 4, new FakeClock())
    const here = new Peer(endpoint, 2, states)
    const there = new Peer(endpoint, 2, PeerStates.attach(states.buffer, 1, new FakeClock()))
    here.begin()
    there.begin()
    expect([here.inFlight(), there.inFlight()]).toEqual([2, 2])
    there.finish()
    expect(here.inFlight()).toBe(1)
    states.setHealth(2, HEALTH_DOWN)
    expect([here.isAvailable(), there.isAvailable()]).toEqual([false, false])
  })

  test("a full pool closes the peer for its own worker only", () => {
    const states = PeerStates.create(4, 4, new FakeClock())
    const here = new Peer(endpoint, 0, states)
    const there = new Peer(endpoint, 0, states)
    here.saturated = true
    expect([here.isAvailable(), there.isAvailable()]).toEqual([false, true])
  })
})
