// HOT
import { createHash, randomBytes } from "node:crypto"
import { BODY_TUNNEL, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import { reasonOf } from "../reason.ts"

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/**
 * A WebSocket that was asked for by extended CONNECT has no key; whoever answers it in HTTP/1.1 wants one (RFC 8441 section 5.1, RFC 6455 section 4.1).
 */
export function askWebSocket(m: Message): void {
  m.request.removeName("sec-websocket-key")
  m.request.append("Sec-WebSocket-Key", randomBytes(16).toString("base64"))
}

/** The proof for that key is nothing to the client. */
export function acceptWebSocket(m: Message): void {
  m.response.removeName("sec-websocket-accept")
}

const KEY_LINE = /^sec-websocket-key:[^\n]*\n/gim

/** The key that the client's proof must be made for, "" = there is none. */
export function keyOf(m: Message): string {
  return m.upgrade === "websocket" ? (m.request.find("sec-websocket-key") ?? "") : ""
}

/** The request's lines for a peer that is asked by extended CONNECT, to which a key means nothing. The request keeps it: another attempt may be of another version. */
export function linesWithoutKey(m: Message): string {
  const lines = m.request.render()
  return m.upgrade === "websocket" ? lines.replace(KEY_LINE, "") : lines
}

/** A 2xx to extended CONNECT is what HTTP/1.1 says with 101, and the proof with it (RFC 8441 section 5, RFC 6455 section 4.2.2). */
export function agreeWebSocket(m: Message, key: string): void {
  m.status = 101
  m.reason = reasonOf(101)
  m.responseBody = BODY_TUNNEL
  m.response.remove(NAME.contentLength)
  if (key !== "")
    m.response.append(
      "Sec-WebSocket-Accept",
      createHash("sha1")
        .update(key + GUID)
        .digest("base64"),
    )
}
