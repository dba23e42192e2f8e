import { type Answer, failedAnswer, readAnswer } from "./dns-answer.ts"
import { type DnsMessage, decodeMessage, encodeQuery, RCODE_FORMAT_ERROR, RCODE_NOT_IMPLEMENTED } from "./dns-message.ts"
import { TcpTransport, type Transport, type TransportHandler, UdpTransport } from "./dns-transport.ts"
import type { NameServer, NameServers } from "./name-servers.ts"
import { PADDED_TO } from "./secure-channel.ts"

/** So many messages that are not the answer look like guessing: the query goes on over TCP, which cannot be forged from afar. */
const STRANGERS_MAX = 8

const nothingSaid = new Uint8Array(0)

export interface QuerySettings {
  readonly servers: NameServers
  /** Milliseconds for one attempt at one server. */
  readonly timeoutMs: number
  /** Attempts at each server that does not answer. */
  readonly attempts: number
}

/** One question (a name and a type), put to the servers in turn until one gives an answer. `done` is called once, never before the constructor has returned. */
export class DnsQuery implements TransportHandler {
  private readonly name: string
  private readonly type: number
  private readonly settings: QuerySettings
  private readonly done: (answer: Answer, message: Uint8Array) => void
  /** Servers still to ask, one entry an attempt. */
  private plan: NameServer[]
  private server: NameServer | null
  private transport: Transport | null
  private timer: ReturnType<typeof setTimeout> | null
  private overTcp: boolean
  /** Whether the query that is out has EDNS. */
  private edns: boolean
  private over: boolean
  private id: number
  private strangers: number
  private last: Answer

  /** `message`: what the server said, lent for the call; empty when nobody could say. */
  constructor(name: string, type: number, settings: QuerySettings, done: (answer: Answer, message: Uint8Array) => void) {
    this.name = name.replace(/\.$/, "")
    this.type = type
    this.settings = settings
    this.done = done
    const order = settings.servers.inOrder()
    this.plan = Array.from({ length: settings.attempts }, () => order).flat()
    this.server = null
    this.transport = null
    this.timer = null
    this.overTcp = false
    this.id = 0
    this.strangers = 0
    this.last = failedAnswer("failed", "no name server is configured")
    this.edns = true
    this.over = false
    queueMicrotask(() => this.proceed())
  }

  /** Ends it without an answer; nothing is left open. */
  cancel(): void {
    this.over = true
    this.stop()
  }

  onMessage(bytes: Uint8Array): void {
    const message = decodeMessage(bytes)
    if (typeof message === "string") {
      const ours = bytes.length >= 2 && bytes[0]! * 256 + bytes[1]! === this.id
      return ours || this.overTcp ? this.fail("failed", `malformed answer: ${message}`, true) : this.meetStranger()
    }
    if (!this.fits(message)) return this.overTcp ? this.fail("failed", "an answer to another question", true) : this.meetStranger()
    if (message.truncated) return this.overTcp ? this.fail("failed", "a truncated answer over TCP", true) : this.ask(true)
    if (isEdnsRefusal(message) && this.edns) {
      this.server!.edns = false
      return this.ask(this.overTcp)
    }
    const answer = readAnswer(message, this.name, this.type)
    if (answer.kind === "failed") return this.fail("failed", answer.detail, true)
    const { text } = this.server!
    this.cancel()
    this.done({ ...answer, detail: text }, bytes)
  }

  onTransportFailed(reason: string): void {
    this.transport = null
    this.fail("failed", reason, false)
  }

  expire(): void {
    this.settings.servers.passOver(this.server!)
    this.fail("timeout", `no answer within ${this.settings.timeoutMs} ms`, false)
  }

  /** Goes to the next attempt; says so when there is none. */
  private proceed(): void {
    if (this.over) return
    this.server = this.plan.shift() ?? null
    if (this.server !== null) return this.ask(false)
    this.cancel()
    this.done(this.last, nothingSaid)
  }

  private ask(overTcp: boolean): void {
    this.stop()
    const server = this.server!
    const { channel } = server
    this.overTcp = overTcp || channel !== null
    this.strangers = 0
    this.id = crypto.getRandomValues(new Uint16Array(1))[0]!
    this.edns = server.edns
    const query = encodeQuery(this.id, this.name, this.type, this.edns, channel === null ? 0 : PADDED_TO)
    this.timer = setTimeout(expired, this.settings.timeoutMs, this)
    try {
      if (channel !== null) this.transport = channel.send(query, this)
      else this.transport = overTcp ? new TcpTransport(server, query, this) : new UdpTransport(server, query, this)
    } catch (error) {
      // No descriptor left, or no such address family on this machine.
      this.fail("failed", error instanceof Error ? error.message : String(error), false)
    }
  }

  /** A refusal counts for all attempts at this server; silence and a broken way only for this one. */
  private fail(kind: "timeout" | "failed", detail: string, refused: boolean): void {
    this.stop()
    const server = this.server!
    this.last = failedAnswer(kind, `${server.text}: ${detail}`)
    if (refused) this.plan = this.plan.filter(planned => planned !== server)
    this.proceed()
  }

  private meetStranger(): void {
    this.strangers++
    if (this.strangers >= STRANGERS_MAX) this.ask(true)
  }

  /** Whether the message answers what we asked (RFC 5452 section 9.1). A server that does not understand the query may leave the question out. */
  private fits(message: DnsMessage): boolean {
    if (!message.response || message.id !== this.id || message.opcode !== 0) return false
    const question = message.questions[0]
    if (question === undefined) return isEdnsRefusal(message)
    return message.questions.length === 1 && question.type === this.type && question.name === this.name
  }

  private stop(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.transport !== null) this.transport.close()
    this.timer = null
    this.transport = null
  }
}

function isEdnsRefusal(message: DnsMessage): boolean {
  return message.rcode === RCODE_FORMAT_ERROR || message.rcode === RCODE_NOT_IMPLEMENTED
}

function expired(query: DnsQuery): void {
  query.expire()
}
