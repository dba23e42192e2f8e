// HOT
// FastCGI 1.0, section 3.3: an eight-octet head, content of up to 65,535 octets, padding.
//
//   version | type | request id (2) | content length (2) | padding length | reserved

export const BEGIN_REQUEST = 1
export const ABORT_REQUEST = 2
export const END_REQUEST = 3
export const PARAMS = 4
export const STDIN = 5
export const STDOUT = 6
export const STDERR = 7

export const HEAD_OCTETS = 8
/** Content of one record, a multiple of eight, so that none needs padding but the last. */
export const CONTENT_BYTES_MAX = 65_528
/** One connection carries one request at a time, so they all have this number. */
const REQUEST_ID = 1
const RESPONDER = 1
const KEEP_CONNECTION = 1

/** A record's head as text of one character an octet. */
export function recordHead(type: number, length: number): string {
  return String.fromCharCode(1, type, REQUEST_ID >> 8, REQUEST_ID & 255, length >> 8, length & 255, 0, 0)
}

/** Section 5.1: we want an answer (Responder), and the connection afterwards or not. */
export function beginRequest(keep: boolean): string {
  return recordHead(BEGIN_REQUEST, HEAD_OCTETS) + String.fromCharCode(0, RESPONDER, keep ? KEEP_CONNECTION : 0, 0, 0, 0, 0, 0)
}

/** One name with its value (section 3.4); both are octets, one character each. */
export function pairOf(name: string, value: string): string {
  return lengthOf(name.length) + lengthOf(value.length) + name + value
}

function lengthOf(length: number): string {
  if (length < 128) return String.fromCharCode(length)
  return String.fromCharCode(128 | (length >>> 24), (length >>> 16) & 255, (length >>> 8) & 255, length & 255)
}

/** The parameters as a stream of records, and its end (section 5.2). */
export function paramsRecords(pairs: string): string {
  let out = ""
  for (let at = 0; at < pairs.length; at += CONTENT_BYTES_MAX) {
    const part = pairs.substring(at, at + CONTENT_BYTES_MAX)
    out += recordHead(PARAMS, part.length) + part
  }
  return out + recordHead(PARAMS, 0)
}
