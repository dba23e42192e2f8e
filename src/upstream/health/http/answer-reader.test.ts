import { describe, expect, test } from "bun:test"
import { AnswerReader } from "./answer-reader.ts"

function read(text: string, ended = false, size = text.length) {
  const reader = new AnswerReader()
  for (let at = 0; at < text.length; at += size) reader.push(Buffer.from(text.slice(at, at + size), "latin1"))
  if (ended) reader.end()
  return { status: reader.status, done: reader.done, fault: reader.fault }
}

const whole = [
  ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200],
  ["no body by length", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 200],
  ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n", 200],
  ["chunks with trailers", "HTTP/1.1 200\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", 200],
  ["both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200],
  ["a status without body", "HTTP/1.1 204 No Content\r\n\r\n", 204],
  ["interim answers before", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n", 304],
] as const

describe("AnswerReader", () => {
  for (const [name, text, status] of whole) {
    test(`knows the end by ${name}, in one piece and octet by octet`, () => {
      expect(read(text)).toEqual({ status, done: true, fault: "" })
      expect(read(text, false, 1)).toEqual({ status, done: true, fault: "" })
      expect(read(text.slice(0, -1)).done).toBe(false)
    })
  }

  test("without a length the close is the end", () => {
    expect(read("HTTP/1.1 200 OK\r\n\r\nhello").done).toBe(false)
    expect(read("HTTP/1.1 200 OK\r\n\r\nhello", true)).toEqual({ status: 200, done: true, fault: "" })
  })

  test("a close before the end is a fault", () => {
    expect(read("", true).fault).toBe("the peer closed the connection before it answered")
    expect(read("HTTP/1.1 200 OK\r\nContent-Le", true).fault).toBe("the peer closed the connection before it answered")
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", true).fault).toBe("the peer closed the connection in the middle of the body")
    expect(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true).fault).toBe(
      "the peer closed the connection in the middle of the body",
    )
  })

  test("what is not HTTP is a fault", () => {
    expect(read("SSH-2.0-OpenSSH_9.2\r\n\r\n").fault).toBe("the answer is not HTTP/1.1")
    expect(read("HTTP/1.1 2000 OK\r\n\r\n").fault).toBe("the answer is not HTTP/1.1")
    expect(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").fault).toBe("the chunks of the answer are malformed")
  })

  test("a head without end and a body without end are not held", () => {
    expect(read(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}`).fault).toBe("the head of the answer is over 32 KB")
    expect(read(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(300_000)}`, false, 10_000).done).toBe(true)
    expect(read(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n${"x".repeat(300_000)}`, false, 10_000).done).toBe(true)
  })
})
