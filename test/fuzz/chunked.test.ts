import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { CHUNKS_BAD, CHUNKS_DONE, ChunkDecoder } from "../../src/http/h1/chunked.ts"
import { cleanTrailers } from "../../src/http/h1/trailers.ts"
import { type Cuts, pieces } from "../conformance/codec-harness.ts"
import { readRequest } from "../support/strict-reader.ts"
import { chunkedBody, cuts, runs, seeds, slipped } from "./arbitraries.ts"

interface Result {
  readonly verdict: "done" | "bad" | "more"
  readonly data: string
  readonly trailers: string
  /** Octets behind the body. */
  readonly rest: number
}

function decode(text: string, how: Cuts): Result {
  const decoder = new ChunkDecoder(16_384)
  let data = ""
  let used = 0
  const sink = { onChunkData: (chunk: Uint8Array) => void (data += Buffer.from(chunk).toString("latin1")) }
  for (const piece of pieces(text, how)) {
    used += decoder.push(Buffer.from(piece, "latin1"), 0, sink)
    if (decoder.state >= CHUNKS_DONE) break
  }
  const verdict = decoder.state === CHUNKS_DONE ? "done" : decoder.state === CHUNKS_BAD ? "bad" : "more"
  // Of a bad body nothing matters but that it is one; how much data came before depends on the cuts no more than on the network.
  return { verdict, data, trailers: verdict === "done" ? decoder.trailers : "", rest: verdict === "done" ? text.length - used : 0 }
}

const stream = slipped(chunkedBody, 3)

/** A second opinion, made without the decoder. */
function strictly(text: string): { body: string; rest: number } | null {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
  const reading = readRequest(head + text, 0, true)
  return reading.is === "whole" ? { body: reading.message.body, rest: head.length + text.length - reading.end } : null
}

describe("the chunked decoder", () => {
  test("says the same of a stream however it is cut", () => {
    const check = (text: string, where: readonly number[]): void => {
      const whole = decode(text, "whole")
      expect(decode(text, "octets")).toEqual(whole)
      expect(decode(text, where)).toEqual(whole)
    }
    for (const text of seeds("chunked")) check(text, [1, 2, 5, 9])
    fc.assert(fc.property(stream, cuts, check), runs(7, 12000))
  })
  test("takes what a strict reader takes, and nothing else", () => {
    const check = (text: string): void => {
      const { verdict, data, trailers, rest } = decode(text, "whole")
      const taken = verdict === "done" && cleanTrailers(trailers) !== null ? { body: data, rest } : null
      expect([text, taken]).toEqual([text, strictly(text)])
    }
    for (const text of seeds("chunked")) check(text)
    fc.assert(fc.property(stream, check), runs(9, 12000))
  })
  test("what it took is taken again, as the same, when it is written anew", () => {
    const check = (text: string): void => {
      const { verdict, data, trailers } = decode(text, "whole")
      if (verdict !== "done") return
      const again = `${data === "" ? "" : `${data.length.toString(16)}\r\n${data}\r\n`}0\r\n${trailers}\r\n`
      expect(decode(again, "whole")).toEqual({ verdict: "done", data, trailers, rest: 0 })
    }
    for (const text of seeds("chunked")) check(text)
    fc.assert(fc.property(stream, check), runs(8, 8000))
  })
})
