import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import type { Ending } from "../raw-socket.ts"
import { patienceMs, within } from "../wait.ts"
import * as frames from "./frames.ts"
import { type Fields, headerBlock, type LiteralOptions } from "./header-block.ts"
import { FrameIntake, type FrameIntakeOptions } from "./frame-intake.ts"
import type { H2Response, H2Stream } from "./h2-stream.ts"

export interface H2ConnectionOptions extends FrameIntakeOptions {
  /** Sent as the first frame; null sends no SETTINGS at all. Default: none of them changed. */
  readonly settings?: frames.Settings | null
}

export interface WaitOptions {
  /** Only frames from this index of `frames` on. */
  readonly after?: number
  readonly ms?: number
}

export interface HeadOptions extends frames.HeadersOptions, LiteralOptions {}

/**
 * One HTTP/2 connection in a test's hands, at either end: sends what it is told, right or wrong, keeps every frame that came, and puts messages together
 * from them. Every wait fails with the frames that came instead. Strings are latin1.
 */
export class H2Connection extends FrameIntake {
  readonly socket: Socket
  ending: Ending = "open"
  private readonly waiting = new Set<() => void>()
  private pings = 0
  private held: Buffer[] | null = null

  constructor(socket: Socket, options: H2ConnectionOptions = {}) {
    super(options)
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.push(chunk)
      this.wake()
    })
    socket.on("end", () => this.end("fin"))
    socket.on("error", error => this.end((error as NodeJS.ErrnoException).code === "ECONNRESET" ? "reset" : "fin"))
    socket.on("close", () => this.end("fin"))
  }

  /** What TLS agreed on, or "". */
  get alpn(): string {
    return (this.socket as TLSSocket).alpnProtocol || ""
  }

  /** Runs `work`, and sends in one piece what it sends before its first wait: the other side cannot answer in between. */
  together<T>(work: () => T): T {
    const held: Buffer[] = []
    this.held = held
    try {
      return work()
    } finally {
      this.held = null
      if (held.length > 0) this.send(Buffer.concat(held))
    }
  }

  override send(bytes: frames.Octets): void {
    if (this.held) return void this.held.push(frames.octets(bytes))
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(frames.octets(bytes))
  }

  settings(settings: frames.Settings): void {
    this.rules.announce(frames.settingPairs(settings))
    this.send(frames.settingsFrame(settings))
  }

  /** A header block in one frame, or in as many as the other side's frame size asks for. */
  headers(streamId: number, fields: Fields, options: HeadOptions = {}): void {
    const block = headerBlock(fields, options)
    const size = this.queue.frameSize
    const whole = block.length <= size
    this.send(frames.headersFrame(streamId, block.subarray(0, size), whole ? options : { ...options, endHeaders: false }))
    for (let at = size; at < block.length; at += size)
      this.send(frames.continuationFrame(streamId, block.subarray(at, at + size), at + size >= block.length))
    if (options.end) this.stream(streamId).endedByUs = true
  }

  /** DATA at once and in one frame, whatever the windows say; `upload` minds them. */
  data(streamId: number, data: frames.Octets, options: frames.DataOptions = {}): void {
    const bytes = frames.dataFrame(streamId, data, options)
    this.queue.take(0, bytes.length - 9)
    this.queue.take(streamId, bytes.length - 9)
    this.send(bytes)
    if (options.end) this.stream(streamId).endedByUs = true
  }

  /** DATA in legal frames, as the windows allow. Settles when all was sent or the stream was reset. */
  async upload(streamId: number, data: frames.Octets, { end = true }: { end?: boolean } = {}): Promise<void> {
    await this.queue.add(streamId, frames.octets(data), end)
    if (end) this.stream(streamId).endedByUs = true
  }

  reset(streamId: number, code: number = frames.errorCode.cancel): void {
    this.queue.drop(streamId)
    this.stream(streamId).endedByUs = true
    this.send(frames.rstStreamFrame(streamId, code))
  }

  /** `data` should have 8 octets. */
  ping(data: frames.Octets): void {
    this.send(frames.pingFrame(data))
  }

  goaway(lastStreamId: number, code: number = frames.errorCode.noError, debug: frames.Octets = ""): void {
    this.send(frames.goawayFrame(lastStreamId, code, debug))
  }

  /** Waits for a frame, among those that came too. */
  frame(wanted: (each: frames.Frame) => boolean, { after = 0, ms = patienceMs }: WaitOptions = {}): Promise<frames.Frame> {
    return this.waitFor(() => this.frames.find((each, index) => index >= after && wanted(each)), "the frame", ms)
  }

  /** Pings and waits for the answer: the other side has seen all that was sent before. */
  async roundTrip(ms = patienceMs): Promise<void> {
    const data = String(++this.pings).padStart(8, "0")
    this.ping(data)
    const isAnswer = (each: frames.Frame): boolean => each.type === frames.frameType.ping && each.flags === 1 && each.payload.toString() === data
    await this.waitFor(() => this.frames.find(isAnswer), `the answer to ping ${data}`, ms)
  }

  /** Waits for the whole message of a stream, or its reset. */
  async response(streamId: number, ms = patienceMs): Promise<H2Response> {
    const stream = this.stream(streamId)
    await this.waitFor(
      () => stream.isOver,
      () => `the end of stream ${streamId} (${stream.fields.length} fields, ${stream.bodyLength} octets so far)`,
      ms,
    )
    return stream.response()
  }

  /** Waits for the final head of a stream. */
  head(streamId: number, ms = patienceMs): Promise<H2Stream> {
    const stream = this.stream(streamId)
    return this.waitFor(() => stream.head.length > 0 && stream, `the head of stream ${streamId}`, ms)
  }

  /** Waits until `count` octets of body came on a stream. */
  body(streamId: number, count: number, ms = patienceMs): Promise<string> {
    const stream = this.stream(streamId)
    return this.waitFor(
      () => stream.bodyLength >= count && stream,
      () => `${count} octets, not ${stream.bodyLength},`,
      ms,
    ).then(({ body }) => body)
  }

  /** Waits for RST_STREAM and gives its code. */
  resetOf(streamId: number, ms = patienceMs): Promise<number> {
    const stream = this.stream(streamId)
    return this.waitFor(() => stream.resetCode !== null && stream, `the reset of stream ${streamId}`, ms).then(({ resetCode }) => resetCode!)
  }

  /** Waits for GOAWAY, the first or the one of this index. */
  goneAway(index = 0, ms = patienceMs): Promise<frames.Goaway> {
    return this.waitFor(() => this.goaways[index], "GOAWAY", ms)
  }

  /** Waits for the other side's acknowledgement of all settings that we sent. */
  async settled(ms = patienceMs): Promise<void> {
    await this.waitFor(() => this.rules.isSettled, "the acknowledgement of settings", ms)
  }

  /** Waits until the other side ends: "fin" or "reset". */
  async closed(ms = patienceMs): Promise<Ending> {
    await this.waitFor(() => this.ending !== "open", "the end of the connection", ms)
    return this.ending
  }

  /** Waits for anything about this connection; fails when it ends first. */
  async waitFor<T>(found: () => T, what: string | (() => string), ms = patienceMs): Promise<NonNullable<Exclude<T, false>>> {
    const deadline = performance.now() + ms
    const failure = (why: string): string => `${typeof what === "string" ? what : what()} did not come${why}; frames:\n${this.story()}\n`
    while (true) {
      const value = found()
      if (value) return value as NonNullable<Exclude<T, false>>
      if (this.ending !== "open") throw new Error(failure(`: the connection ended (${this.ending})`))
      const { promise, resolve } = Promise.withResolvers<void>()
      this.waiting.add(resolve)
      await within(promise, Math.max(1, deadline - performance.now()), () => failure(""))
    }
  }

  /** Closes our half. */
  fin(): void {
    this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }

  [Symbol.dispose](): void {
    this.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy()
  }

  private end(how: Ending): void {
    if (this.ending !== "reset" && (this.ending === "open" || how === "reset")) this.ending = how
    this.wake()
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve()
    this.waiting.clear()
  }
}
