import { expect, test } from "bun:test"
import { createSocket, type Socket } from "node:dgram"
import { until } from "./test-time.ts"
import { dialUdp, type UdpPeer } from "./udp-peer.ts"

interface Dialed {
  peer: UdpPeer | null
  failed: string
  error: string
  readonly got: string[]
  cancel(): void
}

function dialed(host: string, port: number, { takes = true, onDatagram = (_peer: UdpPeer): void => {} } = {}): Dialed {
  const out: Dialed = { peer: null, failed: "", error: "", got: [], cancel: () => {} }
  const listener = {
    onDatagram(peer: UdpPeer, data: Uint8Array): void {
      out.got.push(Buffer.from(data).toString())
      onDatagram(peer)
    },
    onUdpError: (_peer: UdpPeer, error: string) => void (out.error = error),
  }
  const handle = dialUdp(
    { host, port },
    {
      onOpen(peer) {
        out.peer = peer
        return takes ? listener : null
      },
      onFailed: (kind, detail) => void (out.failed = `${kind} ${detail}`),
    },
  )
  expect(out.peer).toBe(null)
  out.cancel = () => handle.cancel()
  return out
}

async function server(): Promise<{ socket: Socket; port: number; from: number[] }> {
  const socket = createSocket("udp4")
  const from: number[] = []
  socket.on("message", (data, sender) => {
    from.push(sender.port)
    socket.send(data, sender.port, sender.address)
  })
  await new Promise<void>(bound => socket.bind(0, "127.0.0.1", () => bound()))
  return { socket, port: socket.address().port, from }
}

test("datagrams of that address and nobody else", async () => {
  const { socket, port, from } = await server()
  const other = await server()
  const out = dialed("127.0.0.1", port)
  await until(() => out.peer !== null, "the socket")
  const memory = Buffer.from("one")
  out.peer!.send(memory)
  memory.fill(0)
  await until(() => out.got.length === 1, "the answer")
  await new Promise(sent => other.socket.send("stranger", from[0]!, "127.0.0.1", sent))
  out.peer!.send(Buffer.alloc(0))
  await until(() => out.got.length === 2, "the empty one")
  expect(out.got).toEqual(["one", ""])
  out.peer!.close()
  out.peer!.send(Buffer.from("late"))
  socket.close()
  other.socket.close()
})

test("too long for the way: that one is lost and the socket stands", async () => {
  const { socket, port } = await server()
  const out = dialed("127.0.0.1", port)
  await until(() => out.peer !== null, "the socket")
  out.peer!.send(Buffer.alloc(65_520))
  out.peer!.send(Buffer.from("next"))
  await until(() => out.got.length === 1, "the answer")
  expect([out.error, out.peer!.unsent]).toEqual(["", 1])
  out.peer!.close()
  socket.close()
})

test("nobody there: the error ends it, once", async () => {
  const { socket, port } = await server()
  await new Promise<void>(closed => socket.close(() => closed()))
  const out = dialed("127.0.0.1", port)
  await until(() => out.peer !== null, "the socket")
  for (let i = 0; i < 3; i++) out.peer!.send(Buffer.from("x"))
  await until(() => out.error !== "", "the error")
  expect(out.error).toBe("ECONNREFUSED")
  out.error = ""
  out.peer!.send(Buffer.from("x"))
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(out.error).toBe("")
})

test("closed in the middle of a batch it tells of no more", async () => {
  const { socket, port } = await server()
  const out = dialed("127.0.0.1", port, { onDatagram: peer => peer.close() })
  await until(() => out.peer !== null, "the socket")
  for (let i = 0; i < 5; i++) out.peer!.send(Buffer.from(`n${i}`))
  await until(() => out.got.length > 0, "the first")
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(out.got.length).toBe(1)
  socket.close()
})

test("given up before it is open; nobody who listens; no address", async () => {
  const given = dialed("127.0.0.1", 9)
  given.cancel()
  const unheard = dialed("127.0.0.1", 9, { takes: false })
  const nowhere = dialed("no address", 9)
  const closed = dialed("255.255.255.255", 9)
  await until(() => unheard.peer !== null && nowhere.failed !== "" && closed.failed !== "", "all")
  unheard.peer!.send(Buffer.from("x"))
  expect([given.peer, given.failed, nowhere.peer]).toEqual([null, "", null])
  expect([nowhere.failed, closed.failed]).toEqual(["unreachable ENOTFOUND", "unreachable EACCES"])
})
