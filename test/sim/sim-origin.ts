import type { Random } from "../../src/base/index.ts"
import { field, readRequest, type StrictMessage } from "../support/strict-reader.ts"
import type { FakeWire } from "./fake-wire.ts"
import { bodyOf, chance, chunked, lengthOf, pick, pieceOf } from "./script.ts"

/** What every origin of a run has seen, to be judged at the end. */
export interface Seen {
  readonly id: string
  readonly method: string
}

type Ending = "keep" | "fin" | "reset"

/** A peer that reads strictly what it is sent and answers in every way that peers have been seen to answer, also wrongly. */
export class SimOrigin {
  readonly wire: FakeWire
  private readonly random: Random
  private readonly seen: Seen[]
  private readonly problems: string[]
  private at = 0
  /** The request at `at` has been answered, or is being. */
  private answering = false
  private out = ""
  /** An answer to nothing, sent together with the end of one that was asked for: later it could not be told from the next one. */
  private surplus = ""
  private ending: Ending = "keep"
  private tunnel: string | null = null
  private tunnelStart = 0
  private closeDelimited = false
  private finSent = false

  constructor(wire: FakeWire, random: Random, seen: Seen[], problems: string[]) {
    this.wire = wire
    this.random = random
    this.seen = seen
    this.problems = problems
  }

  /** Does one thing; false when there is nothing to do. `kind`: answers fully and soon. */
  step(kind: boolean): boolean {
    if (this.wire.closed || this.finSent) return false
    if (this.wire.severed) return kind ? this.tell() : false
    if (this.out !== "") return this.sendPiece()
    if (this.ending !== "keep") return this.leave()
    if (this.tunnel === null && this.at === 0) this.tunnel = /^(c\d+-\d+)\|/.exec(this.wire.sent)?.[1] ?? null
    if (this.tunnel !== null) return this.echo()
    const reading = readRequest(this.wire.sent, this.at)
    if (reading.is === "bad") {
      this.problems.push(`an origin got ${reading.why}: ${JSON.stringify(this.wire.sent.slice(this.at, this.at + 300))}`)
      this.ending = "reset"
      return true
    }
    if (reading.is === "partial") return reading.head !== null && !this.answering && this.answerEarly(reading.head, kind)
    this.check(reading.message)
    this.at = reading.end
    if (!this.answering) this.answer(reading.message, kind)
    this.answering = false
    return true
  }

  /** A severed connection is told of in the end, or a read that nobody waits for would hang. */
  private tell(): boolean {
    this.wire.tellSevered(chance(this.random, 0.5))
    return this.wire.closed
  }

  private check(message: StrictMessage): void {
    const id = field(message, "x-id") ?? ""
    if (message.body !== bodyOf(id, message.body.length)) this.problems.push(`${id}: a damaged request body`)
    if (message.trailers !== "" && message.trailers !== `X-Sum: ${id}`) this.problems.push(`${id}: request trailers ${message.trailers}`)
  }

  private sendPiece(): boolean {
    if (!this.wire.listening) return false
    const piece = pieceOf(this.random, this.out)
    this.out = this.out.slice(piece.length)
    this.wire.deliver(this.out === "" ? piece + this.surplus : piece)
    if (this.out === "") this.surplus = ""
    return true
  }

  private leave(): boolean {
    if (this.ending === "reset") this.wire.reset()
    else if (!this.wire.listening) return false
    else {
      this.finSent = true
      this.wire.fin()
      if (!this.wire.closed && chance(this.random, 0.5)) this.wire.reset()
    }
    return true
  }

  private echo(): boolean {
    const fresh = this.wire.sent.slice(this.at)
    if (fresh === "") return false
    this.at = this.wire.sent.length
    if (fresh !== bodyOf(this.tunnel!, this.at - this.tunnelStart).slice(-fresh.length))
      this.problems.push(`${this.tunnel}: strange octets in its tunnel`)
    this.out = fresh
    return true
  }

  private answerEarly(head: StrictMessage, kind: boolean): boolean {
    if (kind || !chance(this.random, 0.3)) return false
    if (chance(this.random, 0.3)) {
      this.out = "HTTP/1.1 100 Continue\r\n\r\n"
      return true
    }
    this.answering = true
    this.answer(head, kind)
    return true
  }

  private answer(message: StrictMessage, kind: boolean): void {
    const { random } = this
    const id = field(message, "x-id") ?? "?"
    this.seen.push({ id, method: message.method })
    if (field(message, "upgrade") === "websocket" && (kind || chance(random, 0.8))) {
      this.out = `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Id: ${id}\r\n\r\n`
      this.tunnel = id
      this.tunnelStart = this.at
      return
    }
    const trouble = kind ? 9 : random.below(14)
    if (trouble === 0) this.ending = pick(random, ["fin", "reset"])
    else if (trouble === 1)
      this.out = pick(random, [
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 101 Now\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
      ])
    else if (trouble === 2) this.out = `HTTP/1.1 503 No\r\nX-Id: ${id}\r\nX-Length: 0\r\nContent-Length: 0\r\n\r\n`
    else {
      this.out = this.whole(message, id)
      if (trouble === 3) {
        this.out = this.out.slice(0, random.below(this.out.length))
        // Where the end of the connection ends the body, a FIN says that it was whole.
        this.ending = this.closeDelimited ? "reset" : pick(random, ["fin", "reset"])
      } else if (trouble === 4 && this.ending === "keep") this.surplus = "HTTP/1.1 200 OK\r\nX-Id: poison\r\nContent-Length: 6\r\n\r\npoison"
      else if (trouble === 5 && this.ending === "keep") this.ending = pick(random, ["fin", "reset"])
    }
  }

  private whole(message: StrictMessage, id: string): string {
    const { random } = this
    const status = pick(random, [200, 200, 200, 200, 404, 204, 304, 500])
    const length = lengthOf(random)
    const body = bodyOf(id, length)
    const bodiless = message.method === "HEAD" || status === 204 || status === 304
    let head = chance(random, 0.1) ? `HTTP/1.1 103 Early Hints\r\nX-Id: ${id}\r\n\r\n` : ""
    head += `HTTP/1.1 ${status} Reason\r\nX-Id: ${id}\r\nX-Length: ${length}\r\n`
    if (chance(random, 0.1)) head += "Keep-Alive: timeout=5\r\n"
    const framing = random.below(10)
    if (framing < 5 || status === 204) {
      if (status !== 204) head += `Content-Length: ${length}\r\n`
      if (chance(random, 0.1)) {
        head += "Connection: close\r\n"
        this.ending = "fin"
      }
      return `${head}\r\n${bodiless ? "" : body}`
    }
    if (framing < 9)
      return `${head}Transfer-Encoding: chunked\r\n\r\n${bodiless ? "" : chunked(random, body, chance(random, 0.3) ? `X-Sum: ${id}\r\n` : "")}`
    if (bodiless) return `${head}\r\n`
    this.ending = "fin"
    this.closeDelimited = true
    return `${head}\r\n${body}`
  }
}
