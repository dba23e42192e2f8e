import { writeIp } from "../../base/index.ts"
import { BPF, setFilter } from "./udp-port.ts"

/** UDP payloads up to this size pass a brake: acknowledgements do, data does not. */
const PASS_BYTES = 150
const UDP_HEADER_BYTES = 8
/** Five instructions each, of 4096. Whoever comes later is not held, and `unreadBytesMax` ends the streams. */
const HELD_MAX = 500

/**
 * Makes a socket lose the data of some of its peers, in the kernel, before it is read. The runtime cannot be told to stop taking what a peer sends; a peer whose
 * packets get lost slows down by itself (RFC 9002 section 7). Acknowledgements, small as they are, get through, so what we send goes on.
 */
export class UdpBrake {
  private readonly fd: number
  private readonly held: Map<string, readonly [low: number, port: number]>

  constructor(fd: number) {
    this.fd = fd
    this.held = new Map()
  }

  hold(address: string, port: number): void {
    if (this.held.size >= HELD_MAX) return
    this.held.set(`${address} ${port}`, [lowBits(address), port])
    this.apply()
  }

  release(address: string, port: number): void {
    if (this.held.delete(`${address} ${port}`)) this.apply()
  }

  private apply(): void {
    if (this.fd < 0) return
    if (this.held.size === 0) return setFilter(this.fd, null)
    const { LD_H, LD_B, LD_W, LD_M, ST, RSH, JGT, JEQ, JA, RET, NET } = BPF
    const program: (readonly [number, number, number, number])[] = [
      [LD_H, 0, 0, 4],
      [JGT, 1, 0, UDP_HEADER_BYTES + PASS_BYTES],
      [RET, 0, 0, 0xffffffff],
      [LD_B, 0, 0, NET],
      [RSH, 0, 0, 4],
      [JEQ, 2, 0, 6],
      [LD_W, 0, 0, NET + 12],
      [JA, 0, 0, 1],
      [LD_W, 0, 0, NET + 20],
      [ST, 0, 0, 0],
    ]
    for (const [low, port] of this.held.values()) program.push([LD_M, 0, 0, 0], [JEQ, 0, 3, low], [LD_H, 0, 0, 0], [JEQ, 0, 1, port], [RET, 0, 0, 0])
    program.push([RET, 0, 0, 0xffffffff])
    setFilter(this.fd, program)
  }
}

const octets = new Uint8Array(16)

/** The last 32 bits of an address: all of an IPv4 one. */
function lowBits(address: string): number {
  const at = writeIp(address, octets, 0) === 16 ? 12 : 0
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0
}
