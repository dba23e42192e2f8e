import { type AddressInfo, createServer, type Socket } from "node:net"
import { readRequest, type StrictMessage } from "./strict-reader.ts"

/** An origin that forgives nothing: what reaches it is one message after the other, each readable in one way only, or a fault. */
export interface StrictOrigin extends AsyncDisposable {
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly address: string
  readonly requests: StrictMessage[]
  /** Why something that came was no message. */
  readonly faults: string[]
  /** Octets of connections that ended in the middle of a message. */
  readonly partial: string[]
  /** Every octet since the last `clear`. */
  readonly received: string
  clear(): void
}

/** Answers with what it understood: method, target and body length. */
export function echoAnswer(request: StrictMessage): string {
  const text = `${request.method} ${request.target} ${request.body.length}`
  return `HTTP/1.1 200 OK\r\nX-Got: ${request.target}\r\nContent-Length: ${text.length}\r\n\r\n${request.method === "HEAD" ? "" : text}`
}

export async function strictOrigin(answer: (request: StrictMessage) => string = echoAnswer): Promise<StrictOrigin> {
  const requests: StrictMessage[] = []
  const faults: string[] = []
  const partial: string[] = []
  const open = new Set<Socket>()
  let received = ""
  const server = createServer({ noDelay: true }, socket => {
    open.add(socket)
    let text = ""
    const read = (): void => {
      for (;;) {
        const reading = readRequest(text)
        if (reading.is === "partial") return
        if (reading.is === "bad") {
          faults.push(reading.why)
          socket.destroy()
          return
        }
        requests.push(reading.message)
        text = text.slice(reading.end)
        socket.write(Buffer.from(answer(reading.message), "latin1"))
      }
    }
    socket.on("data", chunk => {
      received += chunk.toString("latin1")
      text += chunk.toString("latin1")
      read()
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      open.delete(socket)
      if (text !== "") partial.push(text)
    })
  })
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `127.0.0.1:${port}`,
    requests,
    faults,
    partial,
    get received() {
      return received
    },
    clear() {
      requests.length = 0
      faults.length = 0
      partial.length = 0
      received = ""
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}
