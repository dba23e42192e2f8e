import { connect, type Socket } from "node:net"
import { fieldsOf } from "../../../support/message.ts"
import { until } from "../../../support/wait.ts"

const CRLF = Buffer.from("\r\n")

/** One of many clients: compares what comes with what is to come, octet for octet, and keeps nothing of it. */
export class HerdClient {
  readonly socket: Socket
  status = 0
  fields: Readonly<Record<string, string>> = {}
  /** Octets of the body so far. */
  received = 0
  /** The body has come whole. */
  whole = false
  /** What was wrong with it, "" = nothing. */
  wrong = ""
  ended = false
  private readonly expected: Buffer
  private left: Buffer = Buffer.alloc(0)
  private chunkLeft = -1

  constructor(port: number, expected: Buffer) {
    this.expected = expected
    this.socket = connect({ port, host: "127.0.0.1" })
    this.socket.on("data", chunk => this.take(chunk as Buffer))
    this.socket.on("error", () => {})
    this.socket.on("close", () => {
      this.ended = true
    })
  }

  connected(): Promise<void> {
    return new Promise((resolve, reject) => this.socket.once("connect", resolve).once("error", reject))
  }

  private take(chunk: Buffer): void {
    if (this.status !== 0 && this.chunkLeft === -1) {
      this.body(chunk)
      return
    }
    this.left = this.left.length === 0 ? chunk : Buffer.concat([this.left, chunk])
    if (this.status === 0) this.head()
    if (this.status !== 0 && this.chunkLeft >= 0) this.chunks()
  }

  private head(): void {
    const end = this.left.indexOf("\r\n\r\n")
    if (end < 0) return
    const head = this.left.latin1Slice(0, end)
    const rest = this.left.subarray(end + 4)
    this.left = Buffer.alloc(0)
    this.status = Number(head.split(" ")[1])
    this.fields = fieldsOf(head)
    if (this.fields["transfer-encoding"] !== undefined) {
      this.chunkLeft = 0
      this.left = rest
    } else this.body(rest)
  }

  private chunks(): void {
    while (!this.whole) {
      if (this.chunkLeft > 2) {
        const data = this.left.subarray(0, this.chunkLeft - 2)
        if (data.length === 0) return
        this.body(data)
        this.left = this.left.subarray(data.length)
        this.chunkLeft -= data.length
      } else if (this.chunkLeft > 0) {
        if (this.left.length < this.chunkLeft) return
        this.left = this.left.subarray(this.chunkLeft)
        this.chunkLeft = 0
      } else {
        const end = this.left.indexOf(CRLF)
        if (end < 0) return
        const size = Number.parseInt(this.left.latin1Slice(0, end), 16)
        this.left = this.left.subarray(end + 2)
        this.chunkLeft = size + 2
        if (size === 0) this.whole = true
      }
    }
  }

  private body(data: Buffer): void {
    if (data.compare(this.expected, this.received, Math.min(this.received + data.length, this.expected.length)) !== 0)
      this.wrong ||= `octets at ${this.received}`
    this.received += data.length
    const length = this.fields["content-length"]
    if (length !== undefined && this.received >= Number(length)) this.whole = true
  }
}

/** So many clients, connected. */
export async function herd(port: number, count: number, expected: Buffer): Promise<HerdClient[]> {
  const clients = Array.from({ length: count }, () => new HerdClient(port, expected))
  await Promise.all(clients.map(client => client.connected()))
  return clients
}

/** Waits until all of them have it all, or their connections have ended. */
export async function untilDone(clients: readonly HerdClient[], ms = 20_000): Promise<void> {
  await until(() => clients.every(client => client.whole || client.ended), ms, "the end of all answers")
}

/** What the clients have got, in words: how many of each kind. */
export function tally(clients: readonly HerdClient[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, whole, wrong, received } of clients) {
    const kind = `${status} ${whole ? "whole" : "cut"} ${received}${wrong === "" ? "" : ` ${wrong}`}`
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

export function endAll(clients: readonly HerdClient[]): void {
  for (const { socket } of clients) socket.destroy()
}

/** Octets that say where they are. */
export function pattern(length: number): Buffer {
  const octets = Buffer.alloc(length)
  for (let i = 0; i < length; i++) octets[i] = (i * 131 + (i >> 8) * 17) & 255
  return octets
}
