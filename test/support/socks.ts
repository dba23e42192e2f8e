import { createSocket, type Socket } from "node:dgram"
import { isIPv4, isIPv6 } from "node:net"
import { patienceMs, within } from "./wait.ts"

// SOCKS by hand (RFC 1928, RFC 1929, SOCKS 4 and 4a), one character an octet.

const port16 = (port: number): string => String.fromCharCode(port >> 8, port & 255)

/** An address as SOCKS 5 has it, type included. What is no literal goes as a name. */
export function address5(host: string): string {
  if (isIPv4(host)) return `\x01${String.fromCharCode(...host.split(".").map(Number))}`
  if (isIPv6(host)) return `\x04${groups(host)}`
  return `\x03${String.fromCharCode(host.length)}${host}`
}

/** Two characters for each of the eight groups; `::` stands for what is missing. */
function groups(host: string): string {
  const [front = "", back] = host.split("::")
  const of = (text: string): number[] => (text === "" ? [] : text.split(":").map(group => Number.parseInt(group, 16)))
  const head = of(front)
  const tail = back === undefined ? [] : of(back)
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail].map(port16).join("")
}

export const greeting = (...methods: number[]): string => `\x05${String.fromCharCode(methods.length, ...methods)}`

export const password = (user: string, secret: string): string =>
  `\x01${String.fromCharCode(user.length)}${user}${String.fromCharCode(secret.length)}${secret}`

/** `command`: 1 = CONNECT, 2 = BIND, 3 = UDP ASSOCIATE. */
export const request5 = (host: string, port: number, command = 1): string => `\x05${String.fromCharCode(command)}\0${address5(host)}${port16(port)}`

/** By name = 4a. */
export function request4(host: string, port: number, { command = 1, user = "" } = {}): string {
  const literal = isIPv4(host)
  const address = String.fromCharCode(...(literal ? host : "0.0.0.7").split(".").map(Number))
  return `\x04${String.fromCharCode(command)}${port16(port)}${address}${user}\0${literal ? "" : `${host}\0`}`
}

/** A reply of SOCKS 5 without anything to tell of an address. */
export const refused5 = (code: number): string => `\x05${String.fromCharCode(code)}\0\x01\0\0\0\0\0\0`

/** A UDP socket of a client, which wraps and unwraps as SOCKS does. */
export class SocksUdpClient implements Disposable {
  /** What has come: [host:port in latin1 as it stood in the header, payload]. */
  readonly came: Buffer[] = []
  private wake: () => void = () => {}

  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
    socket.on("message", data => {
      this.came.push(data)
      this.wake()
    })
  }

  send(relay: number, octets: string | Buffer, host = "127.0.0.1"): void {
    this.socket.send(typeof octets === "string" ? Buffer.from(octets, "latin1") : octets, relay, host)
  }

  /** The datagram of this index, one character an octet. */
  async datagram(index: number, ms = patienceMs): Promise<string> {
    while (this.came.length <= index) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.wake = resolve
      await within(promise, ms, () => `datagram ${index} did not come`)
    }
    return this.came[index]!.toString("latin1")
  }

  [Symbol.dispose](): void {
    this.socket.close()
  }
}

export async function socksUdpClient(from = "127.0.0.1"): Promise<SocksUdpClient> {
  const socket = createSocket("udp4")
  await new Promise<void>(resolve => socket.bind(0, from, resolve))
  return new SocksUdpClient(socket)
}

/** A payload with the header of SOCKS in front (RFC 1928 section 7). */
export const wrapped = (host: string, port: number, payload: string, fragment = 0): string =>
  `\0\0${String.fromCharCode(fragment)}${address5(host)}${port16(port)}${payload}`
