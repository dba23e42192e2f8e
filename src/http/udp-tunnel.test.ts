import { expect, test } from "bun:test"
import type { UdpPeer } from "../net/index.ts"
import type { TunnelEnd, TunnelReceiver } from "./sides.ts"
import { UdpTunnel } from "./udp-tunnel.ts"

function world(): { tunnel: UdpTunnel; peer: UdpPeer; events: string[]; start(): void } {
  const events: string[] = []
  const peer = {
    send: (data: Uint8Array) => void events.push(`sent ${Buffer.from(data)}`),
    close: () => void events.push("closed"),
  } as unknown as UdpPeer
  const tunnel = new UdpTunnel(peer)
  const receiver: TunnelReceiver = {
    onTunnelData: (_from: TunnelEnd, chunk: Uint8Array) => void events.push(`data ${Buffer.from(chunk).toString("hex")}`),
    onTunnelDrain() {},
    onTunnelEnd: () => void events.push("end"),
    onTunnelClose: () => void events.push("gone"),
  }
  return { tunnel, peer, events, start: () => tunnel.start(receiver, 0) }
}

const ab = Buffer.from([0, 3, 0, 97, 98])

test("capsules become datagrams and datagrams capsules", () => {
  const { tunnel, peer, events, start } = world()
  start()
  expect(tunnel.write(Buffer.concat([ab, ab.subarray(0, 4)]))).toBe(true)
  tunnel.write(Buffer.concat([ab.subarray(4), Buffer.from([0, 1, 0])]))
  tunnel.onDatagram(peer, Buffer.from("ab"))
  tunnel.onDatagram(peer, Buffer.alloc(0))
  expect(events).toEqual(["sent ab", "sent ab", "sent ", "data 0003006162", "data 000100"])
})

test("what comes while nobody takes it is counted and gone", () => {
  const { tunnel, peer, events, start } = world()
  tunnel.onDatagram(peer, Buffer.from("early"))
  start()
  tunnel.pause()
  tunnel.onDatagram(peer, Buffer.from("held back"))
  tunnel.resume()
  tunnel.onDatagram(peer, Buffer.from("ab"))
  expect([events, tunnel.dropped]).toEqual([["data 0003006162"], 2])
})

test("an end between capsules is one both ways; within a capsule it is a cut; each once", () => {
  const whole = world()
  whole.start()
  whole.tunnel.write(ab)
  whole.tunnel.finish()
  whole.tunnel.finish()
  whole.tunnel.abort()
  expect(whole.events).toEqual(["sent ab", "end", "closed", "gone"])
  const cut = world()
  cut.start()
  cut.tunnel.write(ab.subarray(0, 1))
  cut.tunnel.finish()
  expect(cut.events).toEqual(["closed", "gone"])
})

test("after nonsense nothing more is sent, not even what stands behind it in the same octets", () => {
  const { tunnel, events, start } = world()
  start()
  tunnel.write(Buffer.concat([ab, Buffer.from([0, 0]), ab]))
  tunnel.write(ab)
  expect(events).toEqual(["sent ab", "closed", "gone"])
})

test("an error of the socket, before and after the start", () => {
  const { tunnel, events, start } = world()
  tunnel.onUdpError()
  start()
  expect(events).toEqual(["closed", "gone"])
})
