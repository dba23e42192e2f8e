import { createHash } from "node:crypto"
import type { RawSocket } from "./raw-socket.ts"
import type { Script } from "./scripted-server.ts"

// RFC 6455 by hand: enough of it to open a WebSocket, to send short texts both ways and to close.

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
/** The key of RFC 6455 section 1.3. */
const key = "dGhlIHNhbXBsZSBub25jZQ=="
const opText = 1
const opClose = 8

/** What Sec-WebSocket-Accept must say to this key (section 4.2.2). */
export function acceptOf(of: string): string {
  return createHash("sha1")
    .update(of + guid)
    .digest("base64")
}

export function upgradeRequest(target = "/ws", extra = "", upgrade = "websocket"): string {
  return `GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${extra}\r\n`
}

/** A frame of one text of at most 125 octets; clients mask theirs (section 5.3). */
export function frame(text: string | Buffer, masked: boolean, op = opText): Buffer {
  const payload = typeof text === "string" ? Buffer.from(text) : text
  if (payload.length > 125) throw new Error("short texts only")
  const head = [0x80 | op, payload.length | (masked ? 0x80 : 0)]
  if (!masked) return Buffer.concat([Buffer.from(head), payload])
  const mask = [0x12, 0xa5, 0x00, 0xff]
  return Buffer.concat([Buffer.from([...head, ...mask]), payload.map((octet, i) => octet ^ mask[i % 4]!)])
}

export function closeFrame(masked: boolean): Buffer {
  return frame(Buffer.from([0x03, 0xe8]), masked, opClose)
}

/** Reads one frame; `text` is null for a close. Checks that masks are where they must be (section 5.1). */
export async function readFrame(socket: RawSocket, masked: boolean, ms?: number): Promise<string | null> {
  const [first, second] = Buffer.from(await socket.bytes(2, ms), "latin1")
  if (second! >= 128 !== masked) throw new Error(masked ? "a client's frame has no mask" : "a server's frame has a mask")
  const mask = masked ? Buffer.from(await socket.bytes(4, ms), "latin1") : Buffer.alloc(4)
  const length = second! & 127
  const payload = length === 0 ? Buffer.alloc(0) : Buffer.from(await socket.bytes(length, ms), "latin1").map((octet, i) => octet ^ mask[i % 4]!)
  return (first! & 15) === opClose ? null : Buffer.from(payload).toString()
}

/** A server that agrees to every WebSocket, returns every text, and closes when it is told to. */
export const webSocketEcho: Script = async connection => {
  const request = await connection.request(3_600_000)
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"]
  connection.send([...lines, `Sec-WebSocket-Accept: ${acceptOf(request.fields["sec-websocket-key"] ?? "")}`, "\r\n"].join("\r\n"))
  while (true) {
    const text = await readFrame(connection, true, 3_600_000)
    if (text === null) break
    connection.send(frame(text, false))
  }
  connection.send(closeFrame(false))
  connection.fin()
}

/** Opens a WebSocket over this connection; fails when the answer is not the one of RFC 6455 section 4.1. */
export async function openWebSocket(client: RawSocket, target = "/ws"): Promise<void> {
  client.send(upgradeRequest(target))
  const response = await client.response()
  const { upgrade, connection, "sec-websocket-accept": accept } = response.fields
  const agreed = response.status === 101 && upgrade === "websocket" && connection?.toLowerCase() === "upgrade" && accept === acceptOf(key)
  if (!agreed) throw new Error(`no WebSocket: ${response.head}`)
}

/** Sends a text and gives what comes back. */
export async function echo(client: RawSocket, text: string): Promise<string | null> {
  client.send(frame(text, true))
  return readFrame(client, false)
}
