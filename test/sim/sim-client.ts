import type { Random } from "../../src/base/index.ts"
import { field, readResponse, type StrictMessage } from "../support/strict-reader.ts"
import type { FakeWire } from "./fake-wire.ts"
import { bodyOf, chance, chunked, lengthOf, pick, pieceOf } from "./script.ts"

interface Asked {
  readonly id: string
  readonly method: string
  readonly version: 10 | 11
  readonly trailersWanted: boolean
  /** Octet of the client's stream behind which the request is whole. */
  readonly end: number
  readonly upgrade: boolean
}

const METHODS = ["GET", "GET", "GET", "HEAD", "PUT", "POST", "POST", "DELETE", "OPTIONS", "BREW"]

/** A client that sends random requests, pipelined and cut anywhere, and knows what it may get back. */
export class SimClient {
  readonly wire: FakeWire
  readonly asked: Asked[] = []
  private readonly random: Random
  /** It speaks to a forward proxy. */
  private readonly forward: boolean
  private stream = ""
  private at = 0
  private finSent = false
  /** Says goodbye by a FIN behind its last request, as `nc` does. */
  readonly polite: boolean

  constructor(wire: FakeWire, random: Random, name: string, forward: boolean) {
    this.wire = wire
    this.random = random
    this.forward = forward
    this.polite = chance(random, 0.1)
    const count = 1 + random.below(5)
    for (let i = 0; i < count; i++) this.ask(`${name}-${i}`, i === count - 1)
  }

  private ask(id: string, last: boolean): void {
    const { random } = this
    if (this.forward && last && chance(random, 0.3)) {
      this.askTunnel(id)
      return
    }
    const method = pick(random, METHODS)
    const version = chance(random, 0.1) ? 10 : 11
    const upgrade = last && version === 11 && method === "GET" && chance(random, 0.3)
    const withBody = !upgrade && (method === "POST" || method === "PUT" ? chance(random, 0.9) : chance(random, 0.15))
    const trailersWanted = version === 11 && chance(random, 0.3)
    const body = withBody ? bodyOf(id, lengthOf(random)) : ""
    const inChunks = withBody && version === 11 && chance(random, 0.5)
    const origin = this.forward ? `http://${pick(random, ["a.test", "a.test", "b.test:8080"])}` : ""
    let head = `${method} ${origin}/${id} HTTP/1.${version - 10}\r\nHost: a.test\r\nX-Id: ${id}\r\n`
    if (withBody) head += inChunks ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${body.length}\r\n`
    if (withBody && version === 11 && chance(random, 0.2)) head += "Expect: 100-continue\r\n"
    if (trailersWanted) head += "Connection: TE\r\nTE: trailers\r\n"
    if (upgrade) head += "Connection: upgrade\r\nUpgrade: websocket\r\n"
    if (last && chance(random, 0.2)) head += "Connection: close\r\n"
    if (version === 10 && !last) head += "Connection: keep-alive\r\n"
    const trailers = inChunks && chance(random, 0.3) ? `X-Sum: ${id}\r\n` : ""
    this.stream += `${head}\r\n${inChunks ? chunked(random, body, trailers) : body}`
    this.asked.push({ id, method, version, trailersWanted, end: this.stream.length, upgrade })
    if (upgrade) this.stream += bodyOf(id, lengthOf(random))
  }

  private askTunnel(id: string): void {
    this.stream += `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nX-Id: ${id}\r\n\r\n`
    this.asked.push({ id, method: "CONNECT", version: 11, trailersWanted: false, end: this.stream.length, upgrade: true })
    this.stream += bodyOf(id, 10 + lengthOf(this.random))
  }

  /** Sends a piece; false when there is nothing to do now. */
  feed(): boolean {
    if (!this.wire.listening || this.finSent) return false
    if (this.at === this.stream.length) {
      if (!this.polite) return false
      this.finSent = true
      this.wire.fin()
      return true
    }
    const piece = pieceOf(this.random, this.stream.slice(this.at))
    this.at += piece.length
    this.wire.deliver(piece)
    return true
  }

  hangUp(): void {
    if (this.wire.closed) return
    if (this.wire.listening && !this.finSent && chance(this.random, 0.5)) {
      this.finSent = true
      this.wire.fin()
    } else this.wire.reset()
  }

  private get halfway(): boolean {
    return this.finSent && this.at < this.stream.length
  }

  /** Checks everything that came; returns what is wrong. `settled`: every answer that can come has come. */
  problems(settled: boolean): string[] {
    const found: string[] = []
    const { sent } = this.wire
    const ended = this.wire.finished && !this.wire.terminated && !this.wire.severed
    let at = 0
    for (const asked of this.asked) {
      for (;;) {
        // Of a head that did not come whole in time nobody knows the method.
        const reading = readResponse(sent, at, sent.startsWith("HTTP/1.1 408", at) ? "GET" : asked.method, ended)
        if (reading.is === "bad") return [`${asked.id}: ${reading.why} in ${JSON.stringify(sent.slice(at, at + 300))}`]
        if (reading.is === "partial") {
          if (reading.head !== null) checkAnswer(asked, { ...reading.head, body: reading.body ?? "" }, false, found)
          if (settled && !this.over && asked.end <= this.at)
            found.push(`${asked.id}: no whole answer, but ${JSON.stringify(sent.slice(at, at + 200))}`)
          return found
        }
        at = reading.end
        const { message } = reading
        if (message.framing === "tunnel") return [...found, ...tunnelProblems(asked, sent.slice(at))]
        checkAnswer(asked, message, true, found)
        if (message.status >= 200) break
      }
      // Not switched: what was meant for the tunnel has become a bad request.
      if (asked.upgrade) return found
      if (asked.end > this.at && at === sent.length) break
    }
    if (at < sent.length) found.push(`octets that nobody asked for: ${JSON.stringify(sent.slice(at, at + 200))}`)
    return found
  }

  /** No answer is owed any more. */
  private get over(): boolean {
    return this.wire.closed || this.wire.finished || this.wire.severed || this.halfway || this.finSent
  }
}

function tunnelProblems(asked: Asked, text: string): string[] {
  if (!asked.upgrade) return [`${asked.id}: a tunnel that it did not ask for`]
  return text === bodyOf(asked.id, text.length) ? [] : [`${asked.id}: strange octets in its tunnel: ${text.slice(0, 100)}`]
}

function checkAnswer(asked: Asked, message: StrictMessage, whole: boolean, found: string[]): void {
  const wrong = (what: string): void => void found.push(`${asked.id}: ${what} in ${JSON.stringify(message).slice(0, 500)}`)
  const id = field(message, "x-id")
  if (message.status < 200) {
    if (asked.version === 10) wrong("an interim response for HTTP/1.0")
    if (message.status !== 100 && id !== asked.id) wrong("somebody else's interim response")
    return
  }
  if (id === undefined) {
    if (message.status < 400 || (whole && asked.method !== "HEAD" && !message.body.includes("fault: ")))
      wrong("an answer that is neither the upstream's nor ours")
    return
  }
  if (id !== asked.id) wrong("somebody else's answer")
  if (message.body !== bodyOf(asked.id, message.body.length)) wrong("a damaged body")
  const length = Number(field(message, "x-length"))
  if (whole && message.framing !== "none" && message.body.length !== length) wrong(`a body of ${message.body.length} that looks whole`)
  if (!whole && message.body.length > length) wrong("a body that is too long")
  if (message.trailers !== "" && (!asked.trailersWanted || message.trailers !== `X-Sum: ${asked.id}`)) wrong("trailers")
}
