import type { QuicLimits } from "./quic-limits.ts"
import type { UdpBrake } from "./udp-brake.ts"

/** What has come and was not read, over all streams of one listener or dialed connection. */
export class UnreadBudget {
  readonly bytesMax: number
  private readonly totalBytesMax: number
  private total: number

  constructor(limits: Required<QuicLimits>) {
    this.bytesMax = limits.unreadBytesMax
    this.totalBytesMax = limits.unreadTotalBytesMax
    this.total = 0
  }

  get bytes(): number {
    return this.total
  }

  /** False = there is too much. */
  add(bytes: number): boolean {
    this.total += bytes
    return this.total <= this.totalBytesMax
  }
}

/** The same of one connection, whose peer is slowed down when much lies there. */
export class UnreadMeter {
  private readonly budget: UnreadBudget
  private readonly brake: UdpBrake | null
  private address: string
  private port: number
  private bytes: number
  private braked: boolean

  constructor(budget: UnreadBudget, brake: UdpBrake | null, address: string, port: number) {
    this.budget = budget
    this.brake = brake
    this.address = address
    this.port = port
    this.bytes = 0
    this.braked = false
  }

  /** Counts `bytes` more on a stream that then has `streamBytes`; false = too many. They count until `release` in either case. */
  take(bytes: number, streamBytes: number): boolean {
    this.bytes += bytes
    const fits = this.budget.add(bytes)
    if (!this.braked && this.bytes > this.budget.bytesMax / 4) this.turn(true)
    return fits && streamBytes <= this.budget.bytesMax
  }

  release(bytes: number): void {
    this.bytes -= bytes
    this.budget.add(-bytes)
    if (this.braked && this.bytes <= this.budget.bytesMax / 8) this.turn(false)
  }

  /** The peer sends from elsewhere now; some do so as soon as they are slowed down. */
  moved(address: string, port: number): void {
    const { braked } = this
    if (braked) this.turn(false)
    this.address = address
    this.port = port
    if (braked) this.turn(true)
  }

  /** The connection is gone. */
  end(): void {
    if (this.braked) this.turn(false)
  }

  private turn(on: boolean): void {
    const { brake, address, port } = this
    this.braked = on
    if (brake === null) return
    if (on) brake.hold(address, port)
    else brake.release(address, port)
  }
}
