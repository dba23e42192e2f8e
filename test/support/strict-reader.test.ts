import { describe, expect, test } from "bun:test"
import { field, readRequest, readResponse } from "./strict-reader.ts"

const whole = (reading: ReturnType<typeof readRequest>) => {
  if (reading.is !== "whole") throw new Error(JSON.stringify(reading))
  return reading
}

describe("the strict reader", () => {
  test("takes what can be read in one way", () => {
    const text = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n"
    const first = whole(readRequest(text))
    expect([first.message.method, first.message.body, first.message.trailers]).toEqual(["POST", "abc", "T: 1"])
    const second = whole(readRequest(text, first.end))
    expect([second.message.target, field(second.message, "host"), second.end]).toEqual(["/", "b", text.length])
    expect(readRequest(text, second.end).is).toBe("partial")
  })
  test("knows every way in which a response ends", () => {
    const read = (head: string, body: string, method = "GET", ended = false) => readResponse(`HTTP/1.1 ${head}\r\n\r\n${body}`, 0, method, ended)
    expect(whole(read("200 OK\r\nContent-Length: 2", "abc")).message.body).toBe("ab")
    expect(read("200 OK\r\nContent-Length: 4", "abc").is).toBe("partial")
    expect(read("200 OK", "abc").is).toBe("partial")
    expect(whole(read("200 OK", "abc", "GET", true)).message.body).toBe("abc")
    expect(whole(read("200 OK\r\nContent-Length: 4", "", "HEAD")).message.body).toBe("")
    expect(whole(read("101 Switching", "xyz")).message.framing).toBe("tunnel")
    expect(read("200 OK\r\nTransfer-Encoding: chunked", "5\r\nhel").is).toBe("partial")
    expect(read("200 OK\r\nTransfer-Encoding: chunked", "5\r\nhelloX").is).toBe("bad")
  })
  test("refuses what others forgive", () => {
    for (const line of [
      "Content-Length: 1\r\nContent-Length: 1",
      "Content-Length: +1",
      "Transfer-Encoding: x, chunked",
      " A: 1",
      "A : 1",
      "A: \x01",
      "\n",
      "A: 1\nB: 2",
    ])
      expect(readRequest(`GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`).is).toBe("bad")
    for (const start of ["GET  / HTTP/1.1", "GET / HTTP/1.2", "GET /\x7f HTTP/1.1", "G(T / HTTP/1.1", "GET / http/1.1"])
      expect(readRequest(`${start}\r\nHost: a\r\n\r\n`).is).toBe("bad")
    expect(readRequest("GET / HTTP/1.1\r\n\r\n").is).toBe("bad")
  })
})
