import { describe, expect, test } from "bun:test"
import { FAULT } from "../../base/index.ts"
import { acquireExchange, type Exchange, FAULT_VERDICT, NEXT, WAIT } from "../../flow/index.ts"
import { BODY_CHUNKED, BODY_LENGTH, Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import buffer from "./buffer.ts"
import { HeldRequest, type RequestRoom } from "./held-request.ts"

function room(more: Partial<RequestRoom> = {}): RequestRoom & { over: string } {
  return { bytesMax: 100, totalBytesMax: 150, over: "stream", bytes: 0, overflowed() {}, ...more }
}

function upload(length: number): Exchange {
  const x = acquireExchange()
  x.requestBody = length >= 0 ? BODY_LENGTH : BODY_CHUNKED
  x.requestLength = Math.max(0, length)
  return x
}

describe("what may wait", () => {
  test("a length is reserved as it is, no length as the most, until it is released", () => {
    const of = room()
    const [first, second] = [new HeldRequest(of), new HeldRequest(of)]
    expect([first.begin(upload(50)), of.bytes]).toEqual([WAIT, 50])
    expect([second.begin(upload(-1)), of.bytes]).toEqual([WAIT, 150])
    second.release()
    second.release()
    expect(of.bytes).toBe(50)
  })
  test("what is too large, or has no room, goes on as it comes, and is counted", () => {
    let over = 0
    const of = room({ overflowed: () => void over++ })
    expect(new HeldRequest(of).begin(upload(101))).toBe(NEXT)
    new HeldRequest(of).begin(upload(100))
    expect([new HeldRequest(of).begin(upload(60)), of.bytes, over]).toEqual([NEXT, 100, 2])
  })
  test("or is refused, unless it is only that there is no room", () => {
    expect(new HeldRequest(room({ over: "refuse", bytes: 100 })).begin(upload(60))).toBe(NEXT)
    const x = upload(101)
    expect([new HeldRequest(room({ over: "refuse" })).begin(x), x.fault]).toEqual([FAULT_VERDICT, FAULT.bodyTooLarge])
  })
  test("a body that is there already has a length now; one with trailers cannot have one", () => {
    const x = upload(-1)
    x.request = Fields.of([["Transfer-Encoding", "chunked"]])
    x.pump.requestEnded = true
    x.pump.keptBytes = 7
    expect([new HeldRequest(room()).begin(x), x.requestBody, x.request.render()]).toEqual([NEXT, BODY_LENGTH, "Content-Length: 7\r\n"])
    const trailed = upload(-1)
    trailed.pump.requestEnded = true
    trailed.pump.requestTrailers = "A: b\r\n"
    expect([new HeldRequest(room()).begin(trailed), trailed.requestBody]).toEqual([NEXT, BODY_CHUNKED])
  })
})

test("says what it does; something has to be buffered", () => {
  const said = (options: unknown) => buffer.build(buffer.options.parse(options), new FakeDeps()).describe!()
  expect(said({})).toBe("requests up to 1MB")
  expect(said({ request: { bytesMax: "8MB" }, response: true })).toBe("requests up to 8MB, responses up to 1MB")
  expect(said({ request: false, response: { bytesMax: "2MB" } })).toBe("responses up to 2MB")
  expect(JSON.stringify(buffer.options.safeParse({ request: false }).error?.issues)).toContain("nothing is buffered")
  expect(JSON.stringify(buffer.options.safeParse({ request: { bytesMax: "1GB" } }).error?.issues)).toContain("at most 64MB")
})
