// HOT
import { createHash, randomBytes } from "node:crypto"
import type { Message } from "../message.ts"

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

/** The proof that an HTTP/1.1 client wants for its key (RFC 6455 section 4.2.2). */
export function webSocketAccept(key: string): string {
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64")
}
