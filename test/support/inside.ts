import { connect, type Socket } from "node:net"
import { connect as connectTls, type PeerCertificate, type TLSSocket } from "node:tls"

export interface InsideOptions {
  /** SNI; "" = none. Default: the target's host. */
  readonly name?: string
  readonly alpn?: readonly string[]
  /** PEM of the authority that the client trusts; absent = it trusts anybody. */
  readonly ca?: string
}

/** A client's TLS inside the tunnel that a proxy on 127.0.0.1 gave it. */
export class Inside implements Disposable {
  readonly socket: TLSSocket
  private heard = ""
  private ended = false

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.heard += chunk.toString("latin1")
    })
    socket.on("close", () => {
      this.ended = true
    })
    socket.on("error", () => {})
  }

  get certificate(): PeerCertificate {
    return this.socket.getPeerCertificate()
  }

  send(text: string | Buffer): void {
    this.socket.write(text)
  }

  /** All that has come, once `enough` says so or the server has closed. */
  async until(enough: (heard: string) => boolean): Promise<string> {
    const deadline = performance.now() + 5000
    while (!enough(this.heard) && !this.ended) {
      if (performance.now() > deadline) throw new Error(`not enough came: ${JSON.stringify(this.heard.slice(0, 300))}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    return this.heard
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** Asks for a tunnel and gives its socket; what the proxy says instead of 200 is the error's message. */
export async function tunnel(port: number, target: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1")
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  const head = await new Promise<string>((resolve, reject) => {
    socket.once("data", chunk => resolve(chunk.toString("latin1")))
    socket.once("error", reject)
    socket.once("close", () => resolve(""))
  })
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(head)
  return socket
}

/** TLS inside a tunnel. Rejects when the handshake fails. */
export async function inside(port: number, target: string, { name, alpn = [], ca }: InsideOptions = {}): Promise<Inside> {
  const socket = await tunnel(port, target)
  const servername = name ?? target.replace(/:[0-9]+$/, "")
  const options = ca === undefined ? { rejectUnauthorized: false } : { ca }
  return new Promise((resolve, reject) => {
    const secured = connectTls({ socket, servername, ALPNProtocols: [...alpn], ...options }, () => resolve(new Inside(secured)))
    secured.once("error", reject)
  })
}
