import { describe, expect, test } from "bun:test"
import { FAULT } from "../base/index.ts"
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, type Downstream, Fields, type Upstream } from "../http/index.ts"
import { type BodyChange, changeRequestBody, changeResponseBody } from "./change-body.ts"
import { deliver } from "./deliver.ts"
import { begin, resume } from "./engine.ts"
import { acquireExchange, type Exchange, type Plan } from "./exchange.ts"
import { setLocalResponse } from "./local-reply.ts"
import { feedUp } from "./pump.ts"
import { ANSWER, DONE, NEXT, type Verdict, WAIT } from "./verdict.ts"

/** Doubles each octet and leaves an odd "-" for the end; "!" cannot be read. */
class Doubling implements BodyChange {
  trailers = ""
  private readonly mark: string

  constructor(mark: string) {
    this.mark = mark
  }

  push(chunk: Uint8Array): Uint8Array | null {
    const text = Buffer.from(chunk).toString()
    return text.includes("!") ? null : Buffer.from(text.replaceAll("-", "").replace(/./g, "$&$&"))
  }

  end(trailers: string): Uint8Array | null {
    this.trailers = `${trailers}${this.mark}: end\r\n`
    return trailers.includes("!") ? null : Buffer.from(this.mark)
  }
}

/** Both sides of one exchange; what each of them was told, in order. */
class Sides {
  readonly up: string[] = []
  readonly down: string[] = []
  fault = ""
  bytes: [number, number] = [0, 0]
  readonly x: Exchange

  constructor({ request, response }: { request?: (x: Exchange) => unknown; response?: (x: Exchange) => unknown } = {}) {
    const x = acquireExchange()
    this.x = x
    x.down = this.record<Downstream>(this.down)
    x.request = Fields.of([["Content-Length", "9"]])
    x.requestBody = BODY_LENGTH
    x.plan = {
      steps: [
        (of: Exchange) => (request?.(of) as Verdict | undefined) ?? NEXT,
        () => WAIT,
        (of: Exchange) => {
          of.attempts = 1
          of.up = this.record<Upstream>(this.up)
          feedUp(of)
          return WAIT
        },
        (of: Exchange) => (response?.(of) as Verdict | undefined) ?? NEXT,
        deliver,
        (of: Exchange) => {
          this.fault = of.fault?.code ?? ""
          this.bytes = [of.requestBytes, of.responseBytes]
          return DONE
        },
      ],
      respondAt: 3,
      peerAt: 1,
      logAt: 5,
      retry: null,
      bodyBytesMax: 20,
    } as unknown as Plan
    begin(x)
  }

  /** The response's head has come, with a body of nine octets. */
  answer(): void {
    this.x.status = 200
    this.x.response = Fields.of([["Content-Length", "9"]])
    this.x.responseBody = BODY_LENGTH
    this.x.onResponseHead()
  }

  private record<T>(into: string[]): T {
    const told = (what: string) => (value?: unknown) => {
      into.push(`${what} ${value instanceof Uint8Array ? Buffer.from(value).toString() : typeof value === "string" ? value.trim() : ""}`.trim())
      return true
    }
    const quiet = () => true
    const sides = { sendHead: (of: Exchange) => told("head")(`${of.responseBody} ${of.response.render()}`) }
    for (const name of ["sendBody", "sendText", "sendEnd"]) Object.assign(sides, { [name]: told(name.slice(4).toLowerCase()) })
    for (const name of ["abort", "closeAfter"]) Object.assign(sides, { [name]: () => told(name)() })
    for (const name of ["flush", "pauseBody", "resumeBody", "continueBody"]) Object.assign(sides, { [name]: quiet })
    return sides as T
  }
}

const octets = (text: string) => Buffer.from(text)
/** The request may go. */
const send = (sides: Sides): void => resume(sides.x, NEXT)

describe("a changed request", () => {
  test("loses its length, and what has come before and comes later goes out changed", () => {
    const sides = new Sides()
    sides.x.onRequestBody(octets("ab"))
    changeRequestBody(sides.x, new Doubling("R"))
    expect([sides.x.requestBody, sides.x.request.render()]).toEqual([BODY_CHUNKED, ""])
    sides.x.onRequestBody(octets("c"))
    send(sides)
    sides.x.onRequestBody(octets("---"))
    sides.x.onRequestBody(octets("d"))
    sides.x.onRequestEnd("t: 1\r\n")
    expect(sides.up).toEqual(["body aabb", "body cc", "body dd", "body R", "end t: 1\r\nR: end"])
    sides.answer()
    sides.x.onResponseEnd("")
    expect(sides.bytes).toEqual([7, 0])
  })

  test("that is there whole already", () => {
    const sides = new Sides()
    sides.x.onRequestBody(octets("ab"))
    sides.x.onRequestEnd("")
    changeRequestBody(sides.x, new Doubling("R"))
    send(sides)
    expect(sides.up).toEqual(["body aabb", "body R", "end R: end"])
  })

  test("by two filters, in their order", () => {
    const sides = new Sides({
      request: x => {
        changeRequestBody(x, new Doubling("1"))
        changeRequestBody(x, new Doubling("2"))
      },
    })
    send(sides)
    sides.x.onRequestBody(octets("a"))
    sides.x.onRequestEnd("")
    expect(sides.up).toEqual(["body aaaa", "body 112", "end 1: end\r\n2: end"])
  })

  test("that cannot be read is refused, wherever it is noticed", () => {
    for (const spoil of [(x: Exchange) => x.onRequestBody(octets("a!")), (x: Exchange) => x.onRequestEnd("!: 1\r\n")]) {
      const sides = new Sides({ request: x => changeRequestBody(x, new Doubling("R")) })
      send(sides)
      spoil(sides.x)
      expect(sides.up).toEqual(["abort"])
      expect([sides.fault, sides.down[0]!.split(" ")[0]]).toEqual(["client.malformed", "closeAfter"])
    }
    const early = new Sides({
      request: x => {
        x.onRequestBody(octets("!"))
        changeRequestBody(x, new Doubling("R"))
      },
    })
    expect([early.fault, early.up]).toEqual(["client.malformed", []])
  })

  test("is limited by what the client sent", () => {
    const sides = new Sides({ request: x => changeRequestBody(x, new Doubling("R")) })
    send(sides)
    sides.x.onRequestBody(octets("x".repeat(20)))
    expect(sides.fault).toBe("")
    sides.x.onRequestBody(octets("x"))
    expect(sides.fault).toBe("client.body-too-large")
  })

  test("without a body stays without one", () => {
    const sides = new Sides({
      request: x => {
        x.requestBody = BODY_NONE
        changeRequestBody(x, new Doubling("R"))
      },
    })
    expect([sides.x.requestBody, sides.x.pump.requestChange]).toEqual([BODY_NONE, null])
  })
})

describe("a changed response", () => {
  const changed = () => new Sides({ response: x => changeResponseBody(x, new Doubling("P")) })

  test("loses its length; chunks, text and the end go out changed, trailers too", () => {
    const sides = changed()
    send(sides)
    sides.answer()
    sides.x.onResponseBody(octets("ab"))
    sides.x.onResponseBody(octets("-"))
    sides.x.onResponseText("c")
    sides.x.onResponseEnd("t: 1\r\n")
    expect(sides.down).toEqual(["head 2", "body aabb", "body cc", "body P", "end t: 1\r\nP: end"])
    expect([sides.bytes, sides.fault]).toEqual([[0, 7], ""])
  })

  test("that has come whole before its head may leave", () => {
    const sides = new Sides({
      response: x => {
        x.onResponseBody(octets("ab"))
        x.onResponseEnd("")
        changeResponseBody(x, new Doubling("P"))
      },
    })
    send(sides)
    sides.answer()
    expect(sides.down).toEqual(["head 2", "body aabb", "body P", "end P: end"])
  })

  test("by two filters, in their order", () => {
    const sides = new Sides({
      response: x => {
        changeResponseBody(x, new Doubling("1"))
        changeResponseBody(x, new Doubling("2"))
      },
    })
    send(sides)
    sides.answer()
    sides.x.onResponseBody(octets("a"))
    sides.x.onResponseEnd("")
    expect(sides.down).toEqual(["head 2", "body aaaa", "body 112", "end 1: end\r\n2: end"])
  })

  test("that cannot be read is cut, at the client and at the peer", () => {
    const sides = changed()
    send(sides)
    sides.answer()
    sides.x.onResponseBody(octets("a!"))
    expect([sides.down, sides.up.at(-1), sides.fault]).toEqual([["head 2", "abort"], "abort", FAULT.malformedResponse.code])
    const atEnd = changed()
    send(atEnd)
    atEnd.answer()
    atEnd.x.onResponseEnd("!: 1\r\n")
    expect([atEnd.down, atEnd.fault]).toEqual([["head 2", "abort"], FAULT.malformedResponse.code])
    const held = new Sides({
      response: x => {
        x.onResponseBody(octets("!"))
        x.onResponseEnd("")
        changeResponseBody(x, new Doubling("P"))
      },
    })
    send(held)
    held.answer()
    expect([held.down, held.fault]).toEqual([["head 2", "abort"], FAULT.malformedResponse.code])
  })

  test("a local answer in its place goes out as it is", () => {
    const sides = new Sides({
      response: x => {
        changeResponseBody(x, new Doubling("P"))
        setLocalResponse(x, 403, "X: y\r\n", octets("no"))
        return ANSWER
      },
    })
    send(sides)
    sides.answer()
    expect(sides.down.slice(1)).toEqual(["body no", "end"])
  })
})
