import { connect, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"

/** Why the server could not be asked. */
export class IcapError extends Error {
  override name = "IcapError"
}

export interface IcapServer {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  /** PEM text of the authorities that are believed; null = the system's. */
  readonly ca: string | null
  readonly timeoutMs: number
}

/** Octets of a header section of the server's. */
const HEAD_BYTES_MAX = 64 * 1024

/** One connection: what is read is asked for, and each wait has an end. Whoever meets an error closes it. */
export class IcapConnection {
  private readonly socket: Socket
  private readonly timeoutMs: number
  private received: Buffer = Buffer.alloc(0)
  private ended: string | null = null
  private wake: (() => void) | null = null
  /** Exchanges that it has carried. */
  served = 0

  private constructor(socket: Socket, timeoutMs: number) {
    this.socket = socket
    this.timeoutMs = timeoutMs
    socket.on("data", (chunk: Buffer) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
      this.tell()
    })
    socket.on("error", (error: Error & { code?: string }) => this.end(error.code ?? error.message))
    socket.on("close", () => this.end("the server closed the connection"))
    socket.on("end", () => this.end("the server closed the connection"))
  }

  static async open({ host, port, secure, ca, timeoutMs }: IcapServer): Promise<IcapConnection> {
    const servername = isIP(host) === 0 ? host : ""
    const socket = secure ? connectTls({ host, port, servername, ...(ca === null ? {} : { ca }) }) : connect({ host, port })
    socket.setNoDelay(true)
    const connection = new IcapConnection(socket, timeoutMs)
    let stands = false
    socket.once(secure ? "secureConnect" : "connect", () => {
      stands = true
      connection.tell()
    })
    await connection.until(() => stands)
    return connection
  }

  get usable(): boolean {
    return this.ended === null && this.received.length === 0
  }

  write(data: string | Uint8Array): void {
    if (this.ended === null) this.socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data)
  }

  /** A header section, without the empty line at its end. */
  async head(): Promise<string> {
    let at = -1
    await this.until(() => {
      at = this.received.indexOf("\r\n\r\n")
      if (at < 0 && this.received.length > HEAD_BYTES_MAX) throw new IcapError("the server's header section is too large")
      return at >= 0
    })
    return this.take(at + 4).latin1Slice(0, at)
  }

  async bytes(count: number): Promise<Buffer> {
    await this.until(() => this.received.length >= count)
    return this.take(count)
  }

  /** A chunked body, whole; more than `bytesMax` octets are an error. */
  async chunked(bytesMax: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let total = 0
    for (;;) {
      const line = await this.line()
      const size = /^([0-9A-Fa-f]{1,8})\s*(?:;.*)?$/.exec(line)
      if (size === null) throw new IcapError("the server's body breaks the grammar of chunks")
      const length = Number.parseInt(size[1]!, 16)
      if (length === 0) break
      total += length
      if (total > bytesMax) throw new IcapError("the server's body is larger than bytesMax")
      parts.push(await this.bytes(length))
      if ((await this.bytes(2)).latin1Slice() !== "\r\n") throw new IcapError("the server's body breaks the grammar of chunks")
    }
    // Trailers, which nobody sends.
    while ((await this.line()) !== "");
    return Buffer.concat(parts)
  }

  close(): void {
    this.end("closed")
    this.socket.destroy()
  }

  /** An idle connection keeps no process alive. */
  rest(): void {
    this.socket.unref()
  }

  work(): void {
    this.socket.ref()
  }

  private async line(): Promise<string> {
    let at = -1
    await this.until(() => {
      at = this.received.indexOf("\r\n")
      if (at < 0 && this.received.length > HEAD_BYTES_MAX) throw new IcapError("a line of the server's is too long")
      return at >= 0
    })
    return this.take(at + 2).latin1Slice(0, at)
  }

  private take(count: number): Buffer {
    const taken = this.received.subarray(0, count)
    this.received = this.received.subarray(count)
    return taken
  }

  private async until(found: () => boolean): Promise<void> {
    const deadline = Date.now() + this.timeoutMs
    while (!found()) {
      if (this.ended !== null) throw new IcapError(this.ended)
      const left = deadline - Date.now()
      if (left <= 0) throw new IcapError(`no answer within ${this.timeoutMs} ms`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  private tell(): void {
    const { wake } = this
    this.wake = null
    wake?.()
  }

  private end(reason: string): void {
    this.ended ??= reason
    this.tell()
  }
}
