import { createSocket, type RemoteInfo, type Socket } from "node:dgram"
import { type RawH2Client, rawH2Client } from "./h2/raw-h2-client.ts"
import type { H3Stream } from "./h3/h3-stream.ts"
import { type RawH3Client, rawH3Client } from "./h3/raw-h3-client.ts"
import { rawClient } from "./raw-client.ts"
import { patienceMs, until } from "./wait.ts"

// RFC 9298 by hand: capsules (RFC 9297), clients of every version, and a UDP server to talk to.

/** A variable-length integer (RFC 9000 section 16) in `octets` octets, the fewest unless said. */
export function varint(value: number, octets = value < 64 ? 1 : value < 16_384 ? 2 : value < 2 ** 30 ? 4 : 8): Buffer {
  const out = Buffer.alloc(octets)
  let rest = value
  for (let i = octets - 1; i >= 0; i--) {
    out[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  out[0]! |= Math.log2(octets) << 6
  return out
}

export function capsule(type: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint(type), varint(value.length), value])
}

/** A UDP payload in a DATAGRAM capsule. */
export function udpCapsule(payload: Uint8Array | string, context = 0): Buffer {
  return capsule(0, Buffer.concat([varint(context), Buffer.from(payload as string)]))
}

/** Takes DATAGRAM capsules with context 0 out of octets as they come; fails on anything else. */
export class Payloads {
  readonly list: Buffer[] = []
  private rest: Buffer = Buffer.alloc(0)

  push(chunk: Uint8Array): void {
    this.rest = Buffer.concat([this.rest, chunk])
    while (this.one());
  }

  private one(): boolean {
    const { rest } = this
    const size = (at: number): number => 1 << (rest[at]! >>> 6)
    if (rest.length < 2 || rest.length < 1 + size(1)) return false
    let length = rest[1]! & 63
    for (let i = 2; i < 1 + size(1); i++) length = length * 256 + rest[i]!
    const at = 1 + size(1)
    if (rest.length < at + length) return false
    if (rest[0] !== 0 || rest[at] !== 0) throw new Error(`not a UDP payload: ${rest.subarray(0, 20).toString("hex")}`)
    this.list.push(rest.subarray(at + 1, at + length))
    this.rest = rest.subarray(at + length)
    return true
  }
}

/** One tunnel in a client's hands, whatever the version. */
export interface TunnelClient extends Disposable {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  /** What has come. */
  readonly payloads: readonly Buffer[]
  /** Sends a payload in the way that the client prefers. */
  send(payload: Uint8Array | string): void
  /** Sends octets on the stream. */
  octets(data: Uint8Array): void
  /** Ends our half. */
  end(): void
  /** How the other side ended: "" = not yet. */
  readonly ending: "" | "end" | "cut"
}

export function targetPath(host: string, port: number | string): string {
  return `/.well-known/masque/udp/${encodeURIComponent(host)}/${port}/`
}

/** Waits for the payload of this index. */
export async function payload(client: TunnelClient, index = 0, ms = patienceMs): Promise<string> {
  await until(
    () => client.payloads.length > index || client.ending !== "",
    ms,
    `payload ${index} (status ${client.status}, ${client.payloads.length} came)`,
  )
  if (client.payloads.length <= index) throw new Error(`the tunnel ended (${client.ending}) before payload ${index}`)
  return client.payloads[index]!.toString("latin1")
}

export function ended(client: TunnelClient, ms = patienceMs): Promise<string> {
  return until(() => client.ending, ms, "the tunnel's end")
}

/** `Upgrade: connect-udp`. */
export async function openByHttp1(port: number, path: string, extra = ""): Promise<TunnelClient & { pause(): void; resume(): void }> {
  const client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: proxy.test\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n${extra}\r\n`)
  const head = await client.head()
  const payloads = new Payloads()
  const lines = head.trim().split("\r\n")
  const status = Number(lines[0]!.split(" ")[1])
  if (status === 101) {
    payloads.push(Buffer.from(client.unread, "latin1"))
    client.socket.on("data", (chunk: Buffer) => payloads.push(chunk))
  }
  return {
    status,
    fields: Object.fromEntries(
      lines.slice(1).map(line => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    ),
    payloads: payloads.list,
    send: data => client.send(udpCapsule(data)),
    octets: data => client.send(data),
    end: () => client.fin(),
    pause: () => client.pause(),
    resume: () => client.resume(),
    get ending() {
      return client.ending === "open" ? "" : client.ending === "fin" ? "end" : "cut"
    },
    [Symbol.dispose]: () => client.destroy(),
  }
}

const asked = (path: string): Record<string, string> => ({
  ":method": "CONNECT",
  ":protocol": "connect-udp",
  ":path": path,
  ":authority": "proxy.test",
  "capsule-protocol": "?1",
})

export async function openByHttp2(
  port: number,
  path: string,
  options: Parameters<typeof rawH2Client>[1] = {},
): Promise<TunnelClient & { readonly client: RawH2Client }> {
  const client = await rawH2Client(port, options)
  const id = client.request(asked(path), { end: false })
  const stream = await client.head(id)
  const payloads = new Payloads()
  let read = 0
  const take = (): Buffer[] => {
    if (stream.bodyLength > read && stream.status === 200) payloads.push(Buffer.from(stream.body.slice(read), "latin1"))
    read = stream.bodyLength
    return payloads.list
  }
  return {
    client,
    status: stream.status,
    fields: stream.headers,
    get payloads() {
      return take()
    },
    send: data => void client.upload(id, udpCapsule(data), { end: false }),
    octets: data => void client.upload(id, Buffer.from(data), { end: false }),
    end: () => client.data(id, "", { end: true }),
    get ending() {
      return stream.resetCode !== null || client.ending !== "open" ? "cut" : stream.isOver ? "end" : ""
    },
    [Symbol.dispose]: () => client.destroy(),
  }
}

export type Http3Tunnel = TunnelClient & { readonly client: RawH3Client; readonly stream: H3Stream; datagrams: number }

/** `datagrams`: sends payloads that fit in QUIC datagrams, else all in capsules. What comes either way counts. */
export async function openByHttp3(
  port: number,
  path: string,
  { datagrams = true, client }: { datagrams?: boolean; client?: RawH3Client } = {},
): Promise<Http3Tunnel> {
  const at = client ?? (await rawH3Client(port))
  const stream = at.request(asked(path), { end: false })
  const payloads = new Payloads()
  stream.take = chunk => {
    if (stream.headers[":status"] === "200") payloads.push(chunk)
  }
  let came = 0
  const take = (_connection: unknown, data: Uint8Array): void => {
    if (data[0] !== stream.quic!.id / 4 || data[1] !== 0) return
    came++
    payloads.list.push(Buffer.from(data.subarray(2)))
  }
  Object.assign(at, { onDatagram: take })
  await stream.headCame()
  const status = Number(stream.headers[":status"])
  return {
    client: at,
    stream,
    status,
    fields: stream.headers,
    payloads: payloads.list,
    get datagrams() {
      return came
    },
    send(data) {
      const whole = Buffer.concat([varint(stream.quic!.id / 4), varint(0), Buffer.from(data as string)])
      if (!datagrams || !at.connection.sendDatagram(whole)) stream.quic!.write(udpCapsule(data))
    },
    octets: data => void stream.quic!.write(data),
    end: () => stream.quic!.end(),
    get ending() {
      return stream.ended ? "end" : stream.resetCode !== null || stream.closed !== null ? "cut" : ""
    },
    [Symbol.dispose]: () => at.destroy(),
  }
}

/** A UDP server in a test's hands. */
export class UdpServer implements AsyncDisposable {
  readonly received: Buffer[] = []
  readonly clients: RemoteInfo[] = []
  count = 0
  keep = true
  readonly socket: Socket
  readonly port: number

  constructor(socket: Socket, answer: (data: Buffer) => Uint8Array | string | null) {
    this.socket = socket
    this.port = socket.address().port
    // An answer to somebody who is gone.
    socket.on("error", () => {})
    socket.on("message", (data, from) => {
      this.count++
      if (this.keep) {
        this.received.push(data)
        this.clients.push(from)
      }
      const reply = answer(data)
      if (reply !== null) socket.send(reply, from.port, from.address)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close()
  }
}

/** Answers each datagram; returns it unless `answer` says otherwise. */
export async function udpServer(answer: (data: Buffer) => Uint8Array | string | null = data => data, host = "127.0.0.1"): Promise<UdpServer> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4")
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject)
    socket.bind(0, host, () => resolve())
  })
  return new UdpServer(socket, answer)
}
