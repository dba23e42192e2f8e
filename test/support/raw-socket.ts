import type { Socket } from "node:net"
import { type Framing, fieldsOf, type Message, type ResponseMessage, requestFraming, responseFraming } from "./message.ts"
import { pause, patienceMs, within } from "./wait.ts"

/** How the other side ended: not yet, with FIN, or with a reset. */
export type Ending = "open" | "fin" | "reset"

/**
 * One connection in a test's hands, at either end: sends exactly the bytes it is told, keeps every byte that came, and reads messages from them.
 * Every wait fails with what came so far. Strings are latin1, one character an octet.
 */
export class RawSocket {
  readonly socket: Socket
  ending: Ending = "open"
  private text = ""
  private read = 0
  private wake: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1")
      this.wake()
    })
    socket.on("end", () => this.end("fin"))
    socket.on("error", error => this.end((error as NodeJS.ErrnoException).code === "ECONNRESET" ? "reset" : "fin"))
    socket.on("close", () => this.end("fin"))
  }

  private end(how: Ending): void {
    if (this.ending !== "reset" && (this.ending === "open" || how === "reset")) this.ending = how
    this.wake()
  }

  /** Everything that ever came, whether read by the test or not. */
  get received(): string {
    return this.text
  }

  /** What came and no read has taken. */
  get unread(): string {
    return this.text.slice(this.read)
  }

  get bytesReceived(): number {
    return this.text.length
  }

  send(data: string | Uint8Array): void {
    this.socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data)
  }

  /** Sends each piece in a segment of its own, `gapMs` apart. */
  async sendSlowly(data: string, pieceLength = 1, gapMs = 1): Promise<void> {
    for (let at = 0; at < data.length; at += pieceLength) {
      this.send(data.slice(at, at + pieceLength))
      await pause(gapMs)
    }
  }

  /** Closes our half; what the other side still sends is read. */
  fin(): void {
    this.socket.end()
  }

  /** Closes with a reset. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Stops reading, so that the kernel's window fills; `resume` goes on. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Waits until `found` is true. */
  private async waitFor(found: () => boolean, what: string, ms: number): Promise<void> {
    const deadline = performance.now() + ms
    while (!found()) {
      if (this.ending !== "open")
        throw new Error(`${what}: the connection ended (${this.ending}); unread: ${JSON.stringify(this.unread.slice(0, 2000))}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.wake = resolve
      await within(
        promise,
        Math.max(1, deadline - performance.now()),
        () => `${what} did not come; unread: ${JSON.stringify(this.unread.slice(0, 2000))}`,
      )
    }
  }

  /** Waits for text and takes everything up to and including it. */
  async through(text: string, ms = patienceMs): Promise<string> {
    let at = -1
    await this.waitFor(() => (at = this.text.indexOf(text, this.read)) >= 0, JSON.stringify(text), ms)
    return this.take(at + text.length - this.read)
  }

  /** The next `count` octets. */
  async bytes(count: number, ms = patienceMs): Promise<string> {
    await this.waitFor(() => this.text.length - this.read >= count, `${count} octets`, ms)
    return this.take(count)
  }

  /** The next head, up to and including the empty line. */
  head(ms = patienceMs): Promise<string> {
    return this.through("\r\n\r\n", ms)
  }

  /** The next request with its body. */
  async request(ms = patienceMs): Promise<Message> {
    const head = await this.head(ms)
    return this.message(head, requestFraming(fieldsOf(head)), ms)
  }

  /** The next response with its body; an interim one (1xx) counts as one of its own. `method` is that of the request. */
  async response(method = "GET", ms = patienceMs): Promise<ResponseMessage> {
    const head = await this.head(ms)
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1] ?? Number.NaN)
    return { status, ...(await this.message(head, responseFraming(status, fieldsOf(head), method), ms)) }
  }

  /** Waits until the other side ends, and takes what came before. */
  async toEnd(ms = patienceMs): Promise<string> {
    await this.waitFor(() => this.ending !== "open", "the end", ms)
    return this.take(this.unread.length)
  }

  /** Waits until the other side ends: "fin" or "reset". */
  async ended(ms = patienceMs): Promise<Ending> {
    await this.toEnd(ms)
    return this.ending
  }

  private take(count: number): string {
    const taken = this.text.slice(this.read, this.read + count)
    this.read += count
    return taken
  }

  private async message(head: string, framing: Framing, ms: number): Promise<Message> {
    const { body, trailers } = await this.bodyOf(framing, ms)
    return { start: head.slice(0, head.indexOf("\r\n")), head, fields: fieldsOf(head), body, trailers }
  }

  private async bodyOf(framing: Framing, ms: number): Promise<{ body: string; trailers: string }> {
    if (framing.kind === "none") return { body: "", trailers: "" }
    if (framing.kind === "length") return { body: await this.bytes(framing.length, ms), trailers: "" }
    if (framing.kind === "end") return { body: await this.toEnd(ms), trailers: "" }
    return this.chunkedBody(ms)
  }

  private async chunkedBody(ms: number): Promise<{ body: string; trailers: string }> {
    let body = ""
    while (true) {
      const size = Number.parseInt(await this.through("\r\n", ms), 16)
      if (size === 0) break
      body += (await this.bytes(size + 2, ms)).slice(0, size)
    }
    let trailers = ""
    for (let line = await this.through("\r\n", ms); line !== "\r\n"; line = await this.through("\r\n", ms)) trailers += line
    return { body, trailers }
  }
}
