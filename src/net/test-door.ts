import { connect, type Socket } from "node:net"
import type { Acceptor, AcceptFailure, Refusal } from "./accept-point.ts"
import type { ConnectionInfo } from "./connection-info.ts"
import { listen, type Listening, type ListenOptions } from "./listen.ts"
import { testTime } from "./test-time.ts"
import type { Wire, WireHandler } from "./wire.ts"

export const loopback = { host: "127.0.0.1", port: 0 }

/** What an acceptor saw of one connection. */
export interface Seen {
  wire: Wire
  info: ConnectionInfo
  received: string
  drained: number
  ended: number
  closed: number
  error: Error | null
  /** A write was answered with a negative number. */
  broken: boolean
}

/** An acceptor for tests: echoes, and keeps what it saw. */
export class Door implements Acceptor, WireHandler {
  readonly seen: Seen[] = []
  readonly failures: [AcceptFailure, string][] = []
  readonly refusals: Refusal[] = []
  accepts = true
  echoes = true
  closesOnEnd = true
  lastWord: string | null = null

  onOpen(wire: Wire, info: ConnectionInfo): WireHandler | null {
    if (!this.accepts) return null
    this.seen.push({ wire, info, received: "", drained: 0, ended: 0, closed: 0, error: null, broken: false })
    return this
  }

  onRefused(wire: Wire, _info: ConnectionInfo, refusal: Refusal): WireHandler | null {
    this.refusals.push(refusal)
    if (this.lastWord === null) return null
    wire.write(this.lastWord)
    wire.end()
    return { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
  }

  onFailed(_info: ConnectionInfo, failure: AcceptFailure, detail: string): void {
    this.failures.push([failure, detail])
  }

  of(wire: Wire): Seen {
    return this.seen.find(seen => seen.wire === wire)!
  }

  onData(wire: Wire, chunk: Buffer): void {
    this.of(wire).received += chunk.toString("latin1")
    if (this.echoes && wire.write(chunk) < 0) this.of(wire).broken = true
  }

  onDrain(wire: Wire): void {
    this.of(wire).drained++
  }

  onEnd(wire: Wire): void {
    this.of(wire).ended++
    if (this.closesOnEnd) wire.end()
  }

  onClose(wire: Wire, error: Error | null): void {
    this.of(wire).closed++
    this.of(wire).error = error
  }
}

/** Listens on a free loopback port unless told otherwise. `stops` gets how to end it. */
export function startDoor(stops: (() => void)[], options: Partial<ListenOptions> = {}, door = new Door()): { door: Door; at: Listening } {
  const at = listen({ bind: loopback, time: testTime, ...options }, door)
  stops.push(() => at.stop())
  return { door, at }
}

export interface Client {
  socket: Socket
  received: string
  closed: boolean
}

/** A client that keeps what it got and ends when the peer does. */
export async function client(port: number, host = "127.0.0.1"): Promise<Client> {
  const socket = connect({ port, host, allowHalfOpen: true })
  return watched(socket)
}

export async function watched(socket: Socket): Promise<Client> {
  const state = { socket, received: "", closed: false }
  socket.on("data", chunk => {
    state.received += chunk.toString("latin1")
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    state.closed = true
  })
  socket.on("end", () => socket.end())
  await new Promise(resolve => socket.once("connect", resolve))
  return state
}
