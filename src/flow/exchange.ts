// HOT
import { assert, type Fault } from "../base/index.ts"
import { BODY_NONE, type BodyKind, type Downstream, Fields, type Message, type Upstream } from "../http/index.ts"
import { changedRequestBodyCame, changedRequestEndCame } from "./change-body.ts"
import { clientGone, requestFaulted, responseHeadCame, upFaulted } from "./engine.ts"
import type { Notes } from "./notes.ts"
import type { Pace } from "./pace.ts"
import {
  downDrained,
  interimCame,
  Pump,
  requestBodyCame,
  requestEndCame,
  responseBodyCame,
  responseEndCame,
  responseTextCame,
  upDrained,
} from "./pump.ts"
import type { Verdict } from "./verdict.ts"

export type Step = (x: Exchange) => Verdict

/** What a route compiled to: the steps of its requests, optional work absent. */
export interface Plan {
  readonly steps: readonly Step[]
  /** Index of the first response step, where local replies enter. */
  readonly respondAt: number
  /** Index of the step that an attempt starts with, or -1 when nothing is ever sent upstream. */
  readonly peerAt: number
  /** Index of the first step behind the response, the end of the log; `deliver` stands right before it. */
  readonly logAt: number
  /** Asks whether the fault of this attempt allows another one, and prepares it. Absent when nothing is ever sent upstream. */
  readonly retry: ((x: Exchange) => boolean) | null
  /** Octets that a request body may have; 0 = no limit. */
  readonly bodyBytesMax: number
  /** Milliseconds for the whole exchange; 0 = no limit. */
  readonly requestMs: number
  /** Milliseconds without an octet either way after which a tunnel is cut. */
  readonly tunnelIdleMs: number
  readonly route: RouteInfo
}

/** What log, metrics and explain need of a route. `index` counts in config order. */
export interface RouteInfo {
  readonly name: string
  readonly index: number
  /** Name of the cluster, or "" for other destinations. */
  readonly cluster: string
  /** Index of this route's block of metrics. */
  readonly metrics: number
}

/** What steps need to know of the listener. `settings` belongs to config; each room that needs a part reads its own. */
export interface ListenerInfo {
  readonly name: string
  /** Position in the config, unique in a snapshot. */
  readonly index: number
  readonly secure: boolean
  readonly forward: boolean
}

/** Whoever an exchange waits for; told when the wait is pointless. It must not resume the exchange any more. */
export interface Waiter {
  cancel(x: Exchange): void
}

/**
 * One request with its response. One object shape for all of them; pooled per worker. Each field has one owner room, noted at its end.
 */
export class Exchange implements Message {
  // engine
  plan: Plan | null = null // flow
  step = 0 // flow
  /** True while the loop runs for this exchange; `resume` inside it only stores its verdict. */
  running = false // flow
  /** Counts uses of this pooled object, so that a late callback can tell that it is late. */
  generation = 0 // flow
  fault: Fault | null = null // whoever returns FAULT_VERDICT
  /** A verdict that came while the loop ran, -1 = none. */
  pending = -1 // flow
  /** Who is waited for, null = nobody that needs to know. */
  waiter: Waiter | null = null // flow
  /** The response head has left for the client. */
  headSent = false // flow
  /** The client is gone. */
  gone = false // flow
  /** Ready-made lines for the local reply of `fault`. */
  replyFields = "" // whoever sets the fault
  /** The snapshot that the exchange started with; config's type. */
  snapshot: unknown = null // config

  // client side
  listener: ListenerInfo | null = null // http
  down: Downstream | null = null // http
  /** Textual address of the client: the peer of the connection, or what a trusted hop said. "unix" for Unix sockets. */
  clientAddress = "" // filter (identify)
  /** Textual address of the connection's peer. */
  peerAddress = "" // http
  /** Who the client is, "" = anonymous. */
  user = "" // filter (identify)
  /** What else was found out and decided; null = nothing. */
  notes: Notes | null = null // flow

  // request, as the codec decoded it
  method = "" // http
  /** "http" or "https": how the client asked. */
  scheme = "http" // http
  /** Host in lower case, no port, no trailing dot, no brackets; "" when there is none. */
  host = "" // http
  /** Authority as the client wrote it, port included: what goes out as Host. */
  authority = "" // http
  /** Port of the authority, or the scheme's default. */
  port = 0 // http
  /** Path octet for octet as it came, without the query; "" for CONNECT; "*" for asterisk-form. */
  path = "" // http
  /** Path in the form that rules see: dot segments resolved, unreserved octets decoded, slashes merged, parameters cut (RFC 3986 section 6.2.2). */
  rulePath = "" // http
  /** With the leading "?", or "". */
  query = "" // http
  /** 10 or 11 for HTTP/1; 20, 30. */
  version = 11 // http
  request: Fields = new Fields() // http
  requestBody: BodyKind = BODY_NONE // http
  /** Octets, when requestBody is BODY_LENGTH. */
  requestLength = 0 // http
  /** A protocol that the client asks to switch to and that the route lets through, lower case; "" = none. */
  upgrade = "" // http
  /** The path has an encoded slash or backslash: a route with path rules refuses it unless it says otherwise. */
  encodedSlash = false // http
  /** The client waits for 100 (Continue). */
  expectContinue = false // http
  /** The target was absolute-form or authority-form. */
  forwardForm = false // http

  // response
  status = 0 // http, filter
  reason = "" // http
  response: Fields = new Fields() // http
  responseBody: BodyKind = BODY_NONE // http
  responseLength = 0 // http
  /** Body of a local reply. */
  localBody: Uint8Array | null = null // flow

  // cache
  /** What was looked up, in one word: "hit", "miss" …; "" = no cache was asked. */
  cacheResult = "" // cache
  /** Why the response was not taken from the cache or not stored, a word of its table; "" = nothing to say. */
  cacheReason = "" // cache
  /** Parameters of Cache-Status, "" = none. */
  cacheStatus = "" // cache
  /** What the cache holds for this exchange; its type. */
  cached: unknown = null // cache

  // upstream side
  up: Upstream | null = null // upstream
  /** Peer chosen for this attempt; upstream's type. */
  peer: unknown = null // upstream
  /** Textual `address:port` of the last peer, for log and explain. */
  peerName = "" // upstream
  attempts = 0 // upstream
  /** State of the balancer and the attempt; upstream's type. */
  attempt: unknown = null // upstream
  /** The current attempt uses a connection that has served before. */
  reused = false // upstream

  // times in milliseconds of the monotonic clock, 0 = not reached
  startedAt = 0 // http
  connectedAt = 0 // upstream
  sentAt = 0 // upstream
  headAt = 0 // upstream
  endedAt = 0 // flow

  // octets on the wire's body level
  requestBytes = 0 // flow
  responseBytes = 0 // flow

  /** Bodies under way in both directions. */
  readonly pump = new Pump() // flow
  /** Bodies go no faster than this lets them; null = as fast as they can. */
  pace: Pace | null = null // flow
  /** State slots of filters, by the slot number each one got at build time. */
  slots: unknown[] = [] // filter

  /** Whoever comes to keep chunks or to hold them must say so here. Who changes them keeps none (`BodyChange`). */
  get takesLentRequest(): boolean {
    return this.pump.upReady && this.pump.lost
  }

  get takesLentResponse(): boolean {
    return this.headSent && this.down !== null
  }

  onRequestBody(chunk: Uint8Array): void {
    const { pace } = this
    if (this.pump.requestChange === null) requestBodyCame(this, chunk)
    else changedRequestBodyCame(this, chunk)
    if (pace !== null && this.pace === pace) pace.requestCame(chunk.length)
  }

  onRequestEnd(trailers: string): void {
    if (this.pump.requestChange === null) requestEndCame(this, trailers)
    else changedRequestEndCame(this, trailers)
  }

  onRequestFault(fault: Fault): void {
    requestFaulted(this, fault)
  }

  onClientGone(fault: Fault): void {
    clientGone(this, fault)
  }

  onDownDrain(): void {
    if (this.pace === null || this.pace.drained()) downDrained(this)
  }

  onInterim(status: number, lines: string): void {
    interimCame(this, status, lines)
  }

  onResponseHead(): void {
    responseHeadCame(this)
  }

  onResponseBody(chunk: Uint8Array): void {
    if (this.pace === null || !this.headSent) responseBodyCame(this, chunk)
    else this.pace.body(chunk)
  }

  onResponseText(text: string): void {
    if (this.pace === null || !this.headSent) responseTextCame(this, text)
    else this.pace.body(Buffer.from(text, "latin1"))
  }

  onResponseEnd(trailers: string): void {
    if (this.pace === null || !this.pace.holdsEnd(trailers)) responseEndCame(this, trailers)
  }

  onUpFault(fault: Fault): void {
    upFaulted(this, fault)
  }

  onUpDrain(): void {
    upDrained(this)
  }

  /** Forgets all that belonged to one client before the object serves another one. */
  release(): void {
    assert(!this.running, "an exchange is released after its last step")
    this.generation++
    this.plan = null
    this.step = 0
    this.pending = -1
    this.waiter = null
    this.headSent = false
    this.gone = false
    this.replyFields = ""
    this.fault = null
    this.snapshot = null
    this.listener = null
    this.down = null
    this.user = ""
    this.notes = null
    this.clientAddress = ""
    this.peerAddress = ""
    this.forgetTarget()
    this.status = 0
    this.reason = ""
    this.localBody = null
    this.up = null
    this.peer = null
    this.peerName = ""
    this.attempts = 0
    this.reused = false
    this.startedAt = 0
    this.connectedAt = 0
    this.sentAt = 0
    this.headAt = 0
    this.endedAt = 0
    this.requestBytes = 0
    this.responseBytes = 0
    this.expectContinue = false
    this.upgrade = ""
    if (this.cacheResult !== "") {
      this.cacheResult = ""
      this.cacheReason = ""
      this.cacheStatus = ""
    }
    if (this.pace !== null) this.pace.close()
    this.pace = null
    if (this.slots.length > 0) this.slots.length = 0
    this.request.reset("")
    this.response.reset("")
    this.pump.reset()
    if (free.length < KEEP_MAX && this.request.ids.length <= FIELDS_KEEP_MAX && this.response.ids.length <= FIELDS_KEEP_MAX) free.push(this)
  }

  /** A head that is refused leaves some of these as they are; they must not be another client's. */
  private forgetTarget(): void {
    this.method = ""
    this.scheme = "http"
    this.host = ""
    this.authority = ""
    this.port = 0
    this.path = ""
    this.rulePath = ""
    this.query = ""
    this.version = 11
    this.requestBody = BODY_NONE
    this.forwardForm = false
    this.encodedSlash = false
  }
}

const KEEP_MAX = 1024
const FIELDS_KEEP_MAX = 64
const free: Exchange[] = []
/** All that were made and not collected. Made once and used by many requests, so that a weak reference costs nothing of note. */
let made: WeakRef<Exchange>[] = []
let madeMax = KEEP_MAX * 2

/** An exchange with every field at its start. */
export function acquireExchange(): Exchange {
  const x = free.pop()
  return x === undefined ? makeExchange() : x
}

function makeExchange(): Exchange {
  const x = new Exchange()
  if (made.length >= madeMax) {
    made = made.filter(isThere) // allow(map): once for every thousand objects at the most
    madeMax = Math.max(KEEP_MAX * 2, made.length * 2)
  }
  made.push(new WeakRef(x))
  return x
}

function isThere(reference: WeakRef<Exchange>): boolean {
  return reference.deref() !== undefined
}

/** The exchanges that are under way in this thread, tunnels included. Looks at all that there ever were at the same time: for rare occasions. */
export function runningExchanges(): Exchange[] {
  const running: Exchange[] = []
  for (const reference of made) {
    const x = reference.deref()
    if (x !== undefined && x.plan !== null) running.push(x)
  }
  return running
}
