// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import {
  type ConnectionInfo,
  type DnsAsk,
  type DnsReply,
  type DnsRefusal,
  nothingFound,
  RCODE,
  readAsk,
  type Wire,
  type WireHandler,
  writeRefusal,
  writeReply,
} from "../../net/index.ts"
import { BODY_NONE, type Message } from "../message.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { DownstreamConnection, TunnelEnd } from "../sides.ts"
import { WordlessDownstream } from "../wordless-sides.ts"

/** Octets of a query over TCP; names of 255 octets with every option that there is take a quarter of it. */
const QUERY_BYTES_MAX = 4096
/** Answers over TCP are as long as they have to be. */
const TCP_BYTES_MAX = 65_535
/** Queries of one TCP connection that are under way at the same time; more wait in the system (RFC 7766 section 6.2.1.1). */
const PIPELINED_MAX = 16
const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: "A",
  2: "NS",
  5: "CNAME",
  6: "SOA",
  12: "PTR",
  15: "MX",
  16: "TXT",
  28: "AAAA",
  33: "SRV",
  64: "SVCB",
  65: "HTTPS",
  255: "ANY",
}

/**
 * A client that asks for names: a datagram, or a TCP connection with its messages one behind the other (RFC 1035 section 4.2). Each query is an exchange with
 * method DNS, whose host is the name and whose path is the type; the entry's step leaves the reply with `DnsExchange.reply`.
 */
export class DnsServerConnection implements DownstreamConnection, WireHandler, TimerOwner {
  readonly info: ConnectionInfo
  readonly wire: Wire
  readonly hooks: ServerHooks
  private readonly streams: boolean
  private readonly timer: Timer | null
  private ahead: Buffer | null = null
  private readonly asked = new Set<DnsExchange>()
  private paused = false
  private ended = false
  private over = false

  /** `streams`: messages have their length in front, as over TCP. */
  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks, streams: boolean) {
    this.wire = wire
    this.info = info
    this.hooks = hooks
    this.streams = streams
    this.timer = streams ? new Timer(this) : null
    this.arm()
  }

  private arm(): void {
    const { time, timeouts } = this.hooks
    if (this.timer !== null && timeouts.idle > 0) time.wheel.schedule(this.timer, time.clock.now() + timeouts.idle)
  }

  onData(_wire: Wire, chunk: Buffer): void {
    this.hooks.time.clock.tick()
    if (this.over) return
    if (this.streams) {
      this.ahead = this.ahead === null ? Buffer.from(chunk) : Buffer.concat([this.ahead, chunk])
      this.readAhead()
      return
    }
    // One datagram is one query, and then the client is forgotten.
    if (!this.take(chunk)) this.close()
  }

  private readAhead(): void {
    while (this.ahead !== null && this.ahead.length >= 2 && !this.over) {
      const length = this.ahead.readUInt16BE(0)
      if (length > QUERY_BYTES_MAX || length === 0) {
        this.hooks.faulted(FAULT.malformed)
        this.close()
        return
      }
      if (this.ahead.length < 2 + length) break
      if (this.asked.size >= PIPELINED_MAX) {
        this.pause()
        return
      }
      const message = this.ahead.subarray(2, 2 + length)
      this.ahead = this.ahead.length === 2 + length ? null : this.ahead.subarray(2 + length)
      if (!this.take(message)) return this.close()
      this.arm()
    }
    if (this.ended && this.asked.size === 0) this.close()
  }

  private pause(): void {
    if (this.paused) return
    this.paused = true
    this.wire.pause()
  }

  /** False = it is no query and gets no answer. */
  private take(message: Uint8Array): boolean {
    const ask = readAsk(message)
    if (ask === null) {
      this.hooks.faulted(FAULT.malformed)
      return false
    }
    if ("rcode" in ask) this.refuse(ask)
    else new DnsExchange(this, ask).begin()
    return true
  }

  /** What cannot be read has no name to judge by; its answer is a head. */
  private refuse(refusal: DnsRefusal): void {
    this.hooks.faulted(FAULT.malformed)
    this.send(writeRefusal(refusal))
    if (!this.streams) this.close()
  }

  began(exchange: DnsExchange): void {
    this.asked.add(exchange)
  }

  /** `reply` null = the client gets none. */
  answered(exchange: DnsExchange, reply: DnsReply | null): void {
    if (!this.asked.delete(exchange) || this.over) return
    if (reply !== null) this.send(writeReply(exchange.ask, reply, this.streams ? TCP_BYTES_MAX : exchange.ask.udpBytesMax))
    if (!this.streams || reply === null) return this.close()
    if (this.paused) {
      this.paused = false
      this.wire.resume()
    }
    this.readAhead()
  }

  /** A client that takes no answers is not waited for. */
  private send(octets: Uint8Array): void {
    if (this.over) return
    let message = octets
    if (this.streams) {
      message = Buffer.allocUnsafe(octets.length + 2)
      ;(message as Buffer).writeUInt16BE(octets.length, 0)
      message.set(octets, 2)
    }
    if (this.wire.write(message) !== message.length && this.streams) this.lost(FAULT.writeTimeout)
  }

  onDrain(): void {}

  onEnd(): void {
    this.ended = true
    if (this.asked.size === 0) this.close()
  }

  onClose(): void {
    this.lost(FAULT.aborted)
  }

  onTimer(): void {
    if (this.asked.size === 0) this.close()
  }

  private close(): void {
    if (this.over) return
    this.over = true
    if (this.timer !== null) this.hooks.time.wheel.cancel(this.timer)
    this.wire.end()
    this.hooks.closed(this)
  }

  private lost(fault: Fault): void {
    const wasOver = this.over
    this.over = true
    if (this.timer !== null) this.hooks.time.wheel.cancel(this.timer)
    for (const exchange of this.asked) exchange.gone(fault)
    this.asked.clear()
    if (wasOver) return
    this.wire.terminate()
    this.hooks.closed(this)
  }

  // ---- DownstreamConnection

  closeIdle(): void {
    if (this.asked.size === 0) this.close()
  }

  closeNow(): void {
    this.lost(FAULT.draining)
  }
}

/** The client's side of one query. */
export class DnsExchange extends WordlessDownstream {
  readonly info: ConnectionInfo
  readonly ask: DnsAsk
  /** What to say; null = a code that goes with the status. */
  reply: DnsReply | null = null
  /** Nothing is said: the client is not one that we answer. */
  silent = false
  private readonly connection: DnsServerConnection
  private m: Message | null = null

  constructor(connection: DnsServerConnection, ask: DnsAsk) {
    super()
    this.connection = connection
    this.info = connection.info
    this.ask = ask
  }

  begin(): void {
    const { hooks } = this.connection
    const { name, type } = this.ask
    this.connection.began(this)
    const m = hooks.acquire(this)
    this.m = m
    m.method = "DNS"
    m.version = 0
    m.scheme = "dns"
    m.host = name
    m.authority = name
    m.port = 53
    m.path = TYPE_NAMES[type] ?? `TYPE${type}`
    m.rulePath = ""
    m.query = ""
    m.requestBody = BODY_NONE
    m.request.reset("")
    m.startedAt = hooks.time.clock.now()
    hooks.start(m)
  }

  gone(fault: Fault): void {
    const { m } = this
    this.m = null
    if (m !== null) m.onClientGone(fault)
  }

  sendHead(m: Message): void {
    assert(m === this.m || this.m === null, "one query, one answer")
    this.m = null
    this.connection.answered(this, this.silent ? null : (this.reply ?? nothingFound(m.status === 403 ? RCODE.refused : RCODE.failed)))
  }

  abort(_fault: Fault): void {
    this.m = null
    this.connection.answered(this, nothingFound(RCODE.failed))
  }

  takeTunnel(): TunnelEnd {
    throw new Error("a query has no tunnel") // allow(throw): no plan of a DNS listener has one
  }
}
