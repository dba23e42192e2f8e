import { FAULT, formatHostPort, Timer, type TimerOwner } from "../../base/index.ts"
import { type Exchange, fail, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter } from "../../flow/index.ts"
import { BODY_TUNNEL, BOUND, WireTunnel } from "../../http/index.ts"
import { type Acceptor, type ConnectionInfo, listen, type Listening, type Wire, type WireHandler } from "../../net/index.ts"
import type { Origins } from "../origins.ts"

export interface BindRules {
  /** How long a peer is waited for, in milliseconds. */
  readonly waitMs: number
  /** What clients are told to let peers connect to; "" = the address that they came to, and only that is listened on. */
  readonly address: string
}

/** Waits for one connection from the host that the exchange names. It is judged as a CONNECT to that host is. */
export class BindAttempt implements Acceptor, TimerOwner, Waiter {
  private readonly x: Exchange
  private readonly origins: Origins
  private readonly rules: BindRules
  private readonly timer: Timer = new Timer(this)
  private readonly expected = new Set<string>()
  private listening: Listening | null = null

  constructor(x: Exchange, origins: Origins, rules: BindRules) {
    this.x = x
    this.origins = origins
    this.rules = rules
  }

  /** Judges who is waited for, and finds its addresses. */
  look(): Verdict {
    const { x } = this
    const { checks, resolver } = this.origins.parts
    // A client that came by a Unix socket came to no address that a peer could connect to.
    x.fault = this.rules.address === "" && x.down!.info.localAddress === "" ? FAULT.socksCommand : checks.target(x)
    if (x.fault !== null) return FAULT_VERDICT
    const { generation } = x
    let waits = false
    let verdict: Verdict = WAIT
    resolver.lookup(x.host, (error, addresses) => {
      if (x.generation !== generation) return
      verdict = this.found(error === null ? addresses : [])
      if (waits) resume(x, verdict)
    })
    waits = true
    return verdict
  }

  private found(addresses: readonly { readonly address: string }[]): Verdict {
    const { x } = this
    const { checks } = this.origins.parts
    x.fault = addresses.length === 0 ? FAULT.resolveFailed : null
    for (const { address } of addresses) {
      const fault = checks.address(address, x.port)
      if (fault === null) this.expected.add(address)
      else x.fault = fault
    }
    if (this.expected.size === 0) return FAULT_VERDICT
    x.fault = null
    return NEXT
  }

  /** Listens, and says where. */
  open(): Verdict {
    const { x, rules } = this
    const { time } = this.origins.parts
    x.attempts++
    const came = x.down!.info.localAddress
    const host = rules.address === "" ? came : ""
    try {
      this.listening = listen({ bind: { host, port: 0 }, time, backlog: 16 }, this)
    } catch {
      x.fault = FAULT.connectFailed
      return FAULT_VERDICT
    }
    x.waiter = this
    time.wheel.schedule(this.timer, time.clock.now() + rules.waitMs)
    x.down!.sendInterim(BOUND, formatHostPort(rules.address === "" ? came : rules.address, this.listening.port))
    return WAIT
  }

  onOpen(wire: Wire, info: ConnectionInfo): WireHandler | null {
    const { x } = this
    // Somebody else, or one more.
    if (this.listening === null || !this.expected.has(info.remoteAddress)) return null
    this.stop()
    x.waiter = null
    const { time } = this.origins.parts
    time.clock.tick()
    x.connectedAt = time.clock.now()
    x.peerName = formatHostPort(info.remoteAddress, info.remotePort)
    x.up = new WireTunnel(wire, time)
    x.status = 200
    x.reason = "Connection established"
    x.response.reset("")
    x.responseBody = BODY_TUNNEL
    const { data } = wire
    x.onResponseHead()
    return data
  }

  onTimer(): void {
    this.stop()
    this.x.waiter = null
    fail(this.x, FAULT.connectTimeout)
  }

  cancel(): void {
    this.stop()
  }

  private stop(): void {
    this.listening?.stop()
    this.listening = null
    this.origins.parts.time.wheel.cancel(this.timer)
  }

  end(): void {
    this.stop()
  }
}
