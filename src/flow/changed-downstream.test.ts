import { describe, expect, test } from "bun:test"
import { FAULT } from "../base/index.ts"
import { BODY_CHUNKED, type Downstream, Fields, type Upstream } from "../http/index.ts"
import { type BodyChange, changeResponseBody } from "./change-body.ts"
import { deliver } from "./deliver.ts"
import { begin } from "./engine.ts"
import { acquireExchange, type Exchange, type Plan } from "./exchange.ts"
import { type AheadDownstream, takeAhead } from "./response-ahead.ts"
import { DONE, NEXT, WAIT } from "./verdict.ts"

const octets = (text: string) => Buffer.from(text)

/** Holds the head until it is told to let go, or the end; collects what comes meanwhile. */
class Holding implements BodyChange {
  trailers = ""
  holdsHead = true
  fault = FAULT.responseBomb
  private text = ""
  private readonly keeps: boolean

  /** `keeps`: a pause of the source does not make it let go. */
  constructor(keeps = false) {
    this.keeps = keeps
  }

  push(chunk: Uint8Array): Uint8Array | null {
    if (Buffer.from(chunk).includes("!")) return null
    this.text += Buffer.from(chunk).toString()
    return octets("")
  }

  flush(): Uint8Array {
    if (this.keeps) return octets("")
    this.holdsHead = false
    const text = this.text.toUpperCase()
    this.text = ""
    return octets(text)
  }

  end(trailers: string): Uint8Array {
    this.trailers = trailers
    return octets(this.text)
  }
}

class Tagging implements BodyChange {
  trailers = ""
  push(chunk: Uint8Array): Uint8Array {
    return octets(`<${Buffer.from(chunk)}>`)
  }
  end(trailers: string): Uint8Array {
    this.trailers = trailers
    return octets(".")
  }
}

/** An exchange whose head has come; what the client was told. */
class Answer {
  readonly told: string[] = []
  fault = ""
  bytes = 0
  isOver = false
  isPaused = false
  /** Whether the client's connection takes all that it is given. */
  takes = true
  readonly x: Exchange
  readonly up: Upstream

  constructor(response: (x: Exchange) => void) {
    const x = acquireExchange()
    this.x = x
    const tell = (what: string) => {
      this.told.push(what)
      return this.takes
    }
    x.down = {
      sendHead: (of: Exchange) => tell(`head ${of.status} ${of.responseBody === BODY_CHUNKED ? "chunked" : of.responseLength}`),
      sendBody: (chunk: Uint8Array) => tell(`body ${Buffer.from(chunk)}`),
      sendEnd: (trailers: string) => tell(`end ${trailers.trim()}`.trim()),
      flush: () => this.takes,
      abort: () => tell("abort"),
      closeAfter: () => tell("close after"),
    } as unknown as Downstream
    this.up = { pauseBody: () => void (this.isPaused = true), resumeBody: () => void (this.isPaused = false), abort() {} } as unknown as Upstream
    const steps = [
      () => WAIT,
      (of: Exchange) => {
        response(of)
        return NEXT
      },
      deliver,
      (of: Exchange) => {
        this.fault = of.fault?.code ?? ""
        this.bytes = of.responseBytes
        this.isOver = true
        return DONE
      },
    ]
    x.plan = { steps, respondAt: 1, peerAt: 0, logAt: 3, retry: null, bodyBytesMax: 0, route: { name: "r" } } as unknown as Plan
    begin(x)
    x.up = this.up
    x.status = 200
    x.response = Fields.of([["Content-Type", "text/plain"]])
    x.responseBody = BODY_CHUNKED
    x.onResponseHead()
  }
}

describe("a head that waits for the body's change", () => {
  test("leaves with the length when the end came first", () => {
    const answer = new Answer(x => changeResponseBody(x, new Holding()))
    answer.x.onResponseBody(octets("ab"))
    answer.x.onResponseBody(octets("cd"))
    expect(answer.told).toEqual([])
    answer.x.onResponseEnd("")
    expect([answer.told, answer.bytes]).toEqual([["head 200 4", "body abcd", "end"], 4])
  })
  test("leaves without it when the source pauses, and where there are trailers", () => {
    const answer = new Answer(x => changeResponseBody(x, new Holding()))
    answer.x.onResponseBody(octets("ab"))
    answer.x.down!.flush()
    expect(answer.told).toEqual(["head 200 chunked", "body AB"])
    answer.x.onResponseEnd("")
    expect(answer.bytes).toBe(2)
    const trailed = new Answer(x => changeResponseBody(x, new Holding(true)))
    trailed.x.onResponseBody(octets("ab"))
    trailed.x.down!.flush()
    trailed.x.onResponseEnd("a: b\r\n")
    expect(trailed.told).toEqual(["head 200 chunked", "body ab", "end a: b"])
  })
  test("an empty body", () => {
    const answer = new Answer(x => changeResponseBody(x, new Holding()))
    answer.x.onResponseEnd("")
    expect(answer.told).toEqual(["head 200 0", "end"])
  })
  test("the client is told what went wrong while it waits, and cut off later", () => {
    const early = new Answer(x => changeResponseBody(x, new Holding()))
    early.x.onResponseBody(octets("!"))
    expect([early.told[0], early.told[1]!.startsWith("head 502"), early.told.at(-1), early.fault]).toEqual([
      "close after",
      true,
      "end",
      "upstream.body-bomb",
    ])
    const late = new Answer(x => changeResponseBody(x, new Holding()))
    late.x.down!.flush()
    late.x.onResponseBody(octets("!"))
    expect([late.told, late.fault]).toEqual([["head 200 chunked", "abort"], "upstream.body-bomb"])
    const cut = new Answer(x => changeResponseBody(x, new Holding()))
    cut.x.onUpFault(FAULT.truncated)
    expect(cut.told).toEqual(["abort"])
  })
  test("one change behind another: the head waits for either, a pause goes through both", () => {
    for (const changes of [
      [new Holding(), new Tagging()],
      [new Tagging(), new Holding()],
    ]) {
      const whole = new Answer(x => {
        for (const change of changes) changeResponseBody(x, change)
      })
      whole.x.onResponseBody(octets("ab"))
      expect(whole.told).toEqual([])
      whole.x.onResponseEnd("")
      expect(whole.told).toEqual(["head 200 5", "body <ab>.", "end"])
    }
    const paused = new Answer(x => {
      for (const change of [new Holding(), new Tagging()]) changeResponseBody(x, change)
    })
    paused.x.onResponseBody(octets("ab"))
    paused.x.down!.flush()
    expect(paused.told).toEqual(["head 200 chunked", "body <AB>"])
    paused.x.onResponseEnd("")
  })
})

describe("a response ahead of its client", () => {
  const room = () => ({ bytes: 0, bytesMax: 100 })

  test("waits here, the source goes on until the room is full, and the exchange ends with its client", () => {
    const of = room()
    let ahead: AheadDownstream | null = null
    const answer = new Answer(x => void (ahead = takeAhead(x, 10, of)))
    answer.takes = false
    const { x } = answer
    for (const text of ["1111", "2222", "3333", "4444"]) x.onResponseBody(octets(text))
    // The first was given to the connection, which has enough with it.
    expect([answer.told, of.bytes, answer.isPaused]).toEqual([["head 200 chunked", "body 1111"], 12, true])
    x.onResponseEnd("a: b\r\n")
    expect([answer.isOver, x.up]).toEqual([false, null])
    answer.takes = true
    x.onDownDrain()
    expect([answer.told.slice(2), answer.isOver, of.bytes, answer.bytes]).toEqual([["body 2222", "body 3333", "body 4444", "end a: b"], true, 0, 16])
    ahead!.drop()
    expect(of.bytes).toBe(0)
  })
  test("a client that takes all as it comes gets it as it comes", () => {
    const of = room()
    const answer = new Answer(x => void takeAhead(x, 10, of))
    answer.x.onResponseBody(octets("ab"))
    answer.x.onResponseEnd("")
    expect([answer.told, answer.isOver, of.bytes]).toEqual([["head 200 chunked", "body ab", "end"], true, 0])
  })
  test("behind a change, whichever was asked for first; room for all together", () => {
    for (const isFirst of [true, false]) {
      const of = { bytes: 95, bytesMax: 100 }
      const answer = new Answer(x => {
        if (isFirst) takeAhead(x, 50, of)
        changeResponseBody(x, new Tagging())
        if (!isFirst) takeAhead(x, 50, of)
      })
      answer.takes = false
      for (const text of ["a", "b", "c"]) answer.x.onResponseBody(octets(text))
      expect([answer.told.slice(1), of.bytes, answer.isPaused]).toEqual([["body <a>"], 101, true])
      answer.takes = true
      answer.x.onDownDrain()
      expect([answer.told.slice(2), of.bytes, answer.isPaused]).toEqual([["body <b>", "body <c>"], 95, false])
      answer.x.onResponseEnd("")
      expect(answer.told.at(-1)).toBe("end")
    }
  })
  test("a client that leaves", () => {
    const of = room()
    let ahead: AheadDownstream | null = null
    const answer = new Answer(x => void (ahead = takeAhead(x, 10, of)))
    answer.takes = false
    for (const text of ["1111", "2222"]) answer.x.onResponseBody(octets(text))
    answer.x.onResponseEnd("")
    answer.x.onClientGone(FAULT.aborted)
    ahead!.drop()
    expect([answer.isOver, answer.fault, of.bytes]).toEqual([true, "client.aborted", 0])
  })
})
