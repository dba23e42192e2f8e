import { FakeClock, FAULT, type Fault, TimerWheel } from "../../src/base/index.ts"
import { Exchange } from "../../src/flow/index.ts"
import { BODY_NONE, ClientConnection, type Message, ServerConnection, type ServerHooks, type Time } from "../../src/http/index.ts"
import { WireInfo } from "../../src/net/index.ts"
import { FakeWire } from "../sim/fake-wire.ts"

/** A message as the codec understood it. */
export interface Heard {
  readonly start: string
  readonly fields: string
  body: string
  trailers: string
  whole: boolean
}

export interface Verdict {
  readonly heard: readonly Heard[]
  /** Code of the fault that ended the reading, or "". */
  readonly fault: string
}

const LIMITS = {
  headBytesMax: 1 << 20,
  fieldsMax: 2000,
  targetBytesMax: 1 << 18,
  requestsMax: 0,
  streamsMax: 128,
  streamResetsMax: 200,
  controlFramesMax: 2000,
  idleTimeoutMs: 55_000,
}

function newTime(): Time {
  const clock = new FakeClock()
  return { clock, wheel: new TimerWheel(clock.now()) }
}

/** An exchange that goes nowhere: it writes down what the codecs tell it, and answers requests with an empty 200. */
class Listener extends Exchange {
  readonly log: Heard[]
  current: Heard | null = null
  faultCode = ""

  constructor(log: Heard[]) {
    super()
    this.log = log
  }

  note(start: string, fields: string): void {
    this.current = { start, fields, body: "", trailers: "", whole: false }
    this.log.push(this.current)
  }

  answer(): void {
    this.status = 200
    this.reason = "OK"
    this.response.reset("")
    this.responseBody = BODY_NONE
    this.responseLength = 0
    this.down!.sendHead(this)
    this.down!.sendEnd("")
  }

  override onRequestBody(chunk: Uint8Array): void {
    this.current!.body += Buffer.from(chunk).toString("latin1")
  }

  override onRequestEnd(trailers: string): void {
    this.current!.trailers = trailers
    this.current!.whole = true
    this.answer()
  }

  override onRequestFault(fault: Fault): void {
    this.faultCode = fault.code
    this.down!.abort(fault)
  }

  override onClientGone(): void {}
  override onInterim(status: number): void {
    this.note(`interim ${status}`, "")
    this.current!.whole = true
    this.current = null
  }

  override onResponseHead(): void {
    this.note(`${this.status} ${this.reason}`, this.response.render())
  }

  override onResponseBody(chunk: Uint8Array): void {
    this.current!.body += Buffer.from(chunk).toString("latin1")
  }

  override onResponseText(text: string): void {
    this.current!.body += text
  }

  override onResponseEnd(trailers: string): void {
    this.current!.trailers = trailers
    this.current!.whole = true
  }

  override onUpFault(fault: Fault): void {
    this.faultCode = fault.code
  }
}

/** Where the input is cut into segments: nowhere, behind each octet, or behind these. */
export type Cuts = "whole" | "octets" | readonly number[]

export function* pieces(bytes: string, cuts: Cuts): Generator<string> {
  if (cuts === "whole") yield bytes
  else if (cuts === "octets") yield* bytes
  else {
    let at = 0
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      if (cut <= at || cut >= bytes.length) continue
      yield bytes.slice(at, cut)
      at = cut
    }
    yield bytes.slice(at)
  }
}

function feed(wire: FakeWire, bytes: string, cuts: Cuts): void {
  for (const piece of pieces(bytes, cuts)) {
    if (wire.closed) return
    if (piece !== "") wire.deliver(piece)
  }
}

/** Reads requests as the real server codec does. */
export function hearRequests(bytes: string, cuts: Cuts): Verdict {
  const heard: Heard[] = []
  let fault = ""
  const hooks: ServerHooks = {
    limits: LIMITS,
    timeouts: { head: 0, idle: 0, body: 0, bodyRateMin: 0, write: 0, writeRateMin: 0 },
    secure: false,
    forward: false,
    http2: false,
    altSvc: "",
    closing: false,
    time: newTime(),
    acquire(down) {
      const x = new Listener(heard)
      x.down = down
      return x
    },
    recycle() {},
    start(m: Message) {
      const x = m as Listener
      x.note(`${x.method} ${x.authority}|${x.path}${x.query} ${x.version}`, x.request.render())
      listeners.push(x)
      if (x.requestBody !== BODY_NONE) return
      x.current!.whole = true
      // What follows belongs to another protocol, and nobody here agrees to it.
      if (x.method === "CONNECT") x.down!.abort(FAULT.notForward)
      else x.answer()
    },
    refuse(m: Message, refused: Fault) {
      fault = refused.code
      m.down!.abort(refused)
    },
    replaced() {},
    faulted() {},
    closed() {},
  }
  const listeners: Listener[] = []
  const wire = new FakeWire()
  wire.data = new ServerConnection(wire, new WireInfo(wire as never, false, null, null), hooks)
  feed(wire, bytes, cuts)
  return { heard, fault: fault || (listeners.find(x => x.faultCode !== "")?.faultCode ?? "") }
}

/** Reads the answer to one request of this method as the real client codec does. */
export function hearResponse(bytes: string, method: string, cuts: Cuts, upgrade = ""): Verdict {
  const heard: Heard[] = []
  const x = new Listener(heard)
  const wire = new FakeWire()
  const connection = new ClientConnection(
    wire,
    { time: newTime(), limits: LIMITS, idle() {}, requestsTaken: 0, gaveBack() {}, room() {}, changed() {}, gone() {} },
    null,
  )
  wire.data = connection
  x.method = method
  x.upgrade = upgrade
  x.requestBody = BODY_NONE
  connection.send(x, "/", { head: 0, idle: 0 })
  connection.sendEnd("")
  feed(wire, bytes, cuts)
  return { heard, fault: x.faultCode }
}
