import { expect, test } from "bun:test"
import { readSpoken, spokenName } from "./first-octets.ts"

const spoken = (text: string): string => readSpoken(Buffer.from(text, "latin1"))

/** A hello of TLS 1.2 with a server name and nothing else. */
function hello(name: string): Buffer {
  const host = Buffer.from(name, "latin1")
  const word = (value: number): number[] => [value >>> 8, value & 255]
  const names = [...word(host.length + 3), 0, ...word(host.length), ...host]
  const extensions = [...word(0), ...word(names.length), ...names]
  const body = [3, 3, ...new Array<number>(32).fill(7), 0, ...word(2), 0x13, 1, 1, 0, ...word(extensions.length), ...extensions]
  const message = [1, 0, ...word(body.length), ...body]
  return Buffer.from([22, 3, 1, ...word(message.length), ...message])
}

test("requests are told by their whole line", () => {
  for (const line of [
    "GET / HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET http://a.test/ HTTP/1.0\r\n",
    "GET HTTPS://a.test HTTP/1.1\n",
    "M-SEARCH /x HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n",
  ])
    expect([line, spoken(line)]).toEqual([line, "http"])
  for (const start of ["", "G", "GET", "GET ", "GET /", "GET http:", "GET h", "GET / HTTP/1", "GET /a b HTTP/1.1"])
    expect([start, spoken(start)]).toEqual([start, "started"])
})

test("a request line without an end is left to its own reader", () => {
  expect(spoken(`GET /${"a".repeat(70_000)}`)).toBe("http")
})

test("protocols that look alike are others", () => {
  for (const line of [
    "CONNECT a.test:443 HTTP/1.1\r\n",
    "OPTIONS rtsp://a.test/x RTSP/1.0\r\n",
    "REGISTER sip:a.test SIP/2.0\r\n",
    "NICK me\r\n",
    "EHLO a.test\r\n",
    "get key\r\n",
    "GET /\r\n",
    "GET / FTP/1.0\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\u0000\u0000\u0000\u0017",
    "\u0016\u0002\u0000\u0000\u0001\u0001",
    "\u0013BitTorrent protocol",
    ` ${"A".repeat(40)}`,
    `${"A".repeat(40)} / HTTP/1.1\r\n`,
  ])
    expect([line, spoken(line)]).toEqual([line, "other"])
})

test("a hello is waited for to its end and gives its name", () => {
  const whole = hello("Site.Test.")
  for (let length = 1; length < whole.length; length++) expect(readSpoken(whole.subarray(0, length))).toBe("started")
  expect([readSpoken(whole), spokenName]).toEqual(["tls", "site.test"])
  expect([readSpoken(hello("")), spokenName]).toEqual(["tls", ""])
})
