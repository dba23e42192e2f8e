// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import type { Wire, WireHandler } from "../../net/index.ts"
import { BODY_NONE, type Message } from "../message.ts"
import { readHost } from "../target.ts"
import { describe } from "./describe.ts"
import { basicOf, NO_METHOD, NO_PASSWORD, offered, PASSWORD, readGreeting, readPassword } from "./read-greeting.ts"
import { ASSOCIATE, asked, BAD, BIND, CONNECT, MORE, readRequest4, readRequest5 } from "./read-request.ts"
import { ANSWERING, CREDENTIALS, FIRST, READING, REQUEST, SocksEnds } from "./socks-ends.ts"

/** What a request for a UDP relay is called in the place of a method. */
const ASSOCIATE_METHOD = "ASSOCIATE"

/**
 * A client connection that speaks SOCKS 4, 4a or 5. What it asks for is one exchange with the method CONNECT, as if it had come by HTTP:
 *
 *     5: greeting ──> [name and password] ──> request ──> route, access, dial … ──> reply ──> tunnel
 *     4: request ──> …
 *
 * Names go into the exchange as they came: whoever dials resolves them, or hands them on. What is said ahead of the tunnel is kept for it. Whether name and
 * password are right is decided with the request, so that the listener's log-in is one for all clients; a wrong one gets the reply "not allowed".
 */
export class SocksServerConnection extends SocksEnds implements WireHandler {
  // ---- reading

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    if (this.state === READING) this.read(this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk]))
    else if (this.state === ANSWERING) {
      this.ahead = this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk])
      this.wire.pause()
    }
  }

  /** Takes what is whole. No part is longer than 520 octets, and each is refused as soon as it cannot become one. */
  private read(octets: Buffer): void {
    let at = 0
    this.ahead = null
    while (this.state === READING && at < octets.length) {
      const used = this.readPart(octets, at)
      if (used <= 0) break
      at += used
    }
    if (this.state === READING && at < octets.length) this.ahead = at === 0 ? octets : octets.subarray(at)
  }

  private readPart(octets: Buffer, at: number): number {
    if (this.part === FIRST) {
      const first = octets[at]!
      this.version = first === 4 ? 4 : 5
      if (first === 4 && this.options.v4) return this.readRequest(octets, at)
      if (first !== 5 || !this.options.v5) {
        this.isHttp = first >= 0x41 && first <= 0x5a
        return this.refuse(FAULT.socksMalformed)
      }
      return this.readGreeting(octets, at)
    }
    return this.part === CREDENTIALS ? this.readCredentials(octets, at) : this.readRequest(octets, at)
  }

  private readGreeting(octets: Buffer, at: number): number {
    const used = readGreeting(octets, at)
    if (used === MORE) return MORE
    const { passwords, silent } = this.options
    // Whoever insists on a password gives it to a listener that has no use for it, as with HTTP.
    const fitting = !passwords && offered.none ? NO_PASSWORD : offered.password ? PASSWORD : NO_METHOD
    const method = fitting === NO_METHOD && silent && offered.none ? NO_PASSWORD : fitting
    if (method === NO_METHOD) return this.refuse(FAULT.socksMethod)
    this.part = method === PASSWORD ? CREDENTIALS : REQUEST
    this.say(method === PASSWORD ? "\x05\x02" : "\x05\0")
    return used
  }

  private readCredentials(octets: Buffer, at: number): number {
    const used = readPassword(octets, at)
    if (used === MORE) return MORE
    const basic = used === BAD ? "" : basicOf(octets, at)
    if (basic === "") return this.refuse(FAULT.socksMalformed)
    if (this.options.passwords) this.credentials = basic
    this.part = REQUEST
    this.say("\x01\0")
    return used
  }

  private readRequest(octets: Buffer, at: number): number {
    this.part = REQUEST
    const used = this.version === 4 ? readRequest4(octets, at) : readRequest5(octets, at)
    if (used === MORE) return MORE
    if (used === BAD) {
      this.objection = asked.reply
      return this.refuse(FAULT.socksMalformed)
    }
    if (asked.command === ASSOCIATE) return this.associate()
    if (asked.command !== CONNECT && (asked.command !== BIND || !this.options.bind)) return this.refuse(FAULT.socksCommand)
    const end = at + used
    this.ahead = end === octets.length ? null : octets.subarray(end)
    const m = this.acquire()
    if (asked.command === BIND) m.method = "BIND"
    m.authority = asked.authority
    m.port = asked.port
    const bad = readHost(m)
    this.state = ANSWERING
    this.disarm()
    if (bad !== null) this.hooks.refuse(m, bad)
    else this.start(m, asked.claimed)
    return used
  }

  /** The relay's exchange has no target: its datagrams have. What the client says on the connection from now on means nothing. */
  private associate(): number {
    // A client that came by a Unix socket has no address that datagrams could come from.
    if (this.options.udp === null || this.version !== 5 || this.info.remoteAddress === "") return this.refuse(FAULT.socksCommand)
    // Behind a translator the client knows its own address and not the one that we see, nor the port.
    const isSeen = asked.host === this.info.remoteAddress || asked.host === "0.0.0.0" || asked.host === "::"
    this.clientPort = isSeen ? asked.port : 0
    this.state = ANSWERING
    this.disarm()
    const m = this.acquire()
    m.method = ASSOCIATE_METHOD
    m.host = ""
    m.authority = ""
    describe(m, this.credentials)
    this.hooks.start(m)
    return BAD
  }

  private start(m: Message, claimed: string): void {
    describe(m, this.credentials)
    this.credentials = ""
    if (claimed !== "") this.hooks.claimed?.(m, claimed)
    this.hooks.start(m)
  }

  private acquire(): Message {
    const m = this.hooks.acquire(this)
    this.m = m
    m.method = "CONNECT"
    m.version = this.version
    m.forwardForm = true
    m.path = ""
    m.rulePath = ""
    m.query = ""
    m.requestBody = BODY_NONE
    m.startedAt = this.time.clock.now()
    m.request.reset("")
    return m
  }

  /** It cannot be served whatever the rules say: the log has it, and the client hears why where there is a way to say it. */
  private refuse(fault: Fault): number {
    this.state = ANSWERING
    this.disarm()
    this.hooks.refuse(this.acquire(), fault)
    return BAD
  }

  override onTimer(): void {
    if (this.broken) this.lost(FAULT.aborted)
    else if (this.state !== READING || this.version === 0) this.shut(this.state !== READING)
    else this.refuse(this.hooks.closing ? FAULT.draining : FAULT.headTimeout)
  }
}
