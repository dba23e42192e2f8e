import { Timer, type TimerOwner } from "../../base/index.ts"
import type { DialFailure, DialHandle, DialHandler, Wire, WireHandler } from "../../net/index.ts"
import {
  answerLength,
  connectMessage,
  connectMessage4,
  greeting,
  passwordMessage,
  refusalText,
  SOCKS_ANSWER_MAX,
  type SocksLogin,
  type SocksTarget,
} from "./socks-messages.ts"
import { type Inside, standOverWire } from "./stand-over.ts"

export interface SocksDialOptions {
  readonly version: 4 | 5
  readonly login: SocksLogin
  readonly target: SocksTarget
  /** What is to stand in the end; its time is that of the whole. */
  readonly inside: Inside
}

// what is waited for
const METHOD = 0
const LOGIN = 1
const ANSWER = 2
const DONE = 3

/**
 * One connection through a SOCKS proxy (RFC 1928, 1929; SOCKS 4a). Answers are read octet by octet as the version has them: what is longer, of another version
 * or of an unknown kind ends it. Ours is sent after each answer, never ahead.
 */
export class SocksDial implements DialHandle, DialHandler, WireHandler, TimerOwner {
  private readonly options: SocksDialOptions
  private handler: DialHandler | null
  private dialing: DialHandle | null = null
  private readonly timer = new Timer(this)
  private readonly endsAt: number
  private wire: Wire | null = null
  private state = METHOD
  private got: Buffer = Buffer.alloc(0)

  constructor(options: SocksDialOptions, handler: DialHandler) {
    this.options = options
    this.handler = handler
    const { time, timeoutMs } = options.inside
    this.endsAt = time.clock.now() + timeoutMs
    time.wheel.schedule(this.timer, this.endsAt)
  }

  /** `open` dials the proxy itself. */
  begin(open: (handler: DialHandler) => DialHandle): this {
    this.dialing = open(this)
    return this
  }

  cancel(): void {
    this.finish()
    this.dialing?.cancel()
    this.dialing = null
    this.drop()
  }

  private finish(): DialHandler | null {
    const { handler } = this
    this.handler = null
    this.options.inside.time.wheel.cancel(this.timer)
    return handler
  }

  private drop(): void {
    const { wire } = this
    this.wire = null
    if (wire !== null) wire.terminate()
  }

  onTimer(): void {
    this.dialing?.cancel()
    this.dialing = null
    this.fail("timeout", "the SOCKS proxy did not answer within the connect timeout")
  }

  private fail(kind: DialFailure, detail: string): void {
    this.state = DONE
    const handler = this.finish()
    this.drop()
    handler?.onFailed(kind, detail)
  }

  // ---- the connection to the proxy

  onFailed(kind: DialFailure, detail: string): void {
    this.dialing = null
    this.fail(kind, detail)
  }

  onOpen(wire: Wire): WireHandler | null {
    this.dialing = null
    this.wire = wire
    if (this.options.version === 5) this.say(greeting(this.options.login))
    else this.ask(connectMessage4(this.options.target, this.options.login.user))
    return this.wire === null ? null : this
  }

  private say(message: Uint8Array): void {
    if (this.wire!.write(message) !== message.length) this.fail("reset", "the SOCKS proxy takes nothing")
  }

  private ask(message: Uint8Array | null): void {
    this.state = ANSWER
    if (message === null) this.fail("denied", "an address that this version of SOCKS cannot name")
    else this.say(message)
  }

  onData(_wire: Wire, chunk: Buffer): void {
    this.options.inside.time.clock.tick()
    this.got = this.got.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.got, chunk])
    while (this.state !== DONE && this.step()) {
      // As many answers as there are.
    }
  }

  /** Reads one answer; false = there is no whole one. */
  private step(): boolean {
    const { got, options } = this
    if (this.state === ANSWER) return options.version === 5 ? this.readAnswer() : this.readAnswer4()
    if (got.length < 2) return false
    this.got = got.subarray(2)
    if (this.state === METHOD) this.readMethod(got[0]!, got[1]!)
    else if (got[0] !== 1) this.fail("garbled", "no answer of RFC 1929")
    else if (got[1] !== 0) this.fail("login", "the SOCKS proxy does not take our user and password")
    else this.ask(connectMessage(options.target))
    return true
  }

  private readMethod(version: number, method: number): void {
    const { login, target } = this.options
    if (version !== 5) this.fail("garbled", "no SOCKS 5 is spoken there")
    else if (method === 0) this.ask(connectMessage(target))
    else if (method === 2 && login.user !== "") {
      this.state = LOGIN
      this.say(passwordMessage(login))
    } else if (method === 255) this.fail("login", "the SOCKS proxy wants another log-in than ours")
    else this.fail("garbled", "the SOCKS proxy chose what we did not offer")
  }

  private readAnswer(): boolean {
    const { got } = this
    const length = answerLength(got)
    // Who refuses need not say more than that.
    if (length >= 0 && got.length >= 2 && got[1] !== 0) this.fail("denied", `the SOCKS proxy: ${refusalText(got[1]!)}`)
    else if (length < 0) this.fail("garbled", "no answer of SOCKS 5")
    else if (length === 0 || got.length < length) {
      if (got.length > SOCKS_ANSWER_MAX) this.fail("garbled", "no answer of SOCKS 5")
      return false
    } else this.stands(got.subarray(length))
    return true
  }

  private readAnswer4(): boolean {
    const { got } = this
    if (got.length > 0 && got[0] !== 0) this.fail("garbled", "no answer of SOCKS 4")
    else if (got.length < 8) return false
    else if (got[1] === 90) this.stands(got.subarray(8))
    else if (got[1]! > 90 && got[1]! < 94) this.fail(got[1] === 91 ? "denied" : "login", `the SOCKS proxy: ${refusalText(got[1]!)}`)
    else this.fail("garbled", "no answer of SOCKS 4")
    return true
  }

  /** The way is open. `rest`: what the origin has said already, which is nothing where we speak first. */
  private stands(rest: Buffer): void {
    const { inside } = this.options
    const wire = this.wire!
    if (rest.length > 0 && inside.tls !== null) return this.fail("garbled", "octets before our TLS handshake")
    this.state = DONE
    this.wire = null
    const handler = this.finish()
    if (handler === null) return wire.terminate()
    const leftMs = Math.max(1, this.endsAt - inside.time.clock.now())
    this.handler = handler
    this.dialing = standOverWire(
      wire,
      { ...inside, timeoutMs: leftMs },
      {
        onOpen: (stood, alpn) => this.finish()?.onOpen(stood, alpn) ?? null,
        onFailed: (kind, detail) => this.finish()?.onFailed(kind, detail),
      },
    )
    if (rest.length > 0) wire.data.onData(wire, rest)
  }

  onDrain(): void {}

  onEnd(): void {
    this.fail("reset", "the SOCKS proxy closed the connection")
  }

  onClose(): void {
    this.wire = null
    if (this.state !== DONE) this.fail("reset", "the SOCKS proxy closed the connection")
  }
}
