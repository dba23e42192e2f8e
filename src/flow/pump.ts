// HOT
import { assert, type Clock, FAULT, systemClock } from "../base/index.ts"
import type { Downstream } from "../http/index.ts"
import type { BodyChange } from "./change-body.ts"
import { resume } from "./engine.ts"
import type { Exchange } from "./exchange.ts"
import type { Deadline } from "./timers.ts"
import type { AheadDownstream } from "./response-ahead.ts"
import { NEXT } from "./verdict.ts"

/** Octets of a request body that wait for an upstream connection before the client is held back. */
const AHEAD_BYTES_MAX = 64 * 1024

/** Who needs the whole of a small request body before it goes on. */
export interface BodyWaiter {
  bodyCame(x: Exchange): void
}

/** Who reads the response's body before its head leaves, while a response filter waits: without one the upstream waits, too. */
export interface ResponseTap {
  /** A chunk of it; it is held for the client. True = more, please. */
  chunkCame(chunk: Uint8Array): boolean
  /** It is whole. */
  endCame(): void
}

let clock: Clock = systemClock

/** Lets tests and the worker decide what time it is. */
export function setFlowClock(of: Clock): void {
  clock = of
}

/**
 * The bodies of one exchange.
 *
 *   client ── onRequestBody ──> [kept: until an attempt is ready, and for the next one] ──> up.sendBody
 *   client <── down.sendBody ── [held: while response filters wait] <── onResponseBody ── upstream
 *
 * A side that returns "full" pauses the other one's reading; its drain resumes it. Nothing grows with the body.
 */
export class Pump {
  /** Chunks of the request body that an attempt can (still) be given from the start; null = too late, they are gone. */
  kept: Uint8Array[] | null = null
  keptBytes = 0
  /** Octets that are kept for another attempt. */
  keepBytesMax = 0
  /** Octets that wait for an attempt before the client is held back. */
  aheadBytesMax = AHEAD_BYTES_MAX
  /** Told once when all of the request's body has come, or more of it than waits here. */
  bodyWaiter: BodyWaiter | null = null
  upReady = false
  requestEnded = false
  requestTrailers = ""
  /** What a filter makes of the request's body; null = it goes as it comes. */
  requestChange: BodyChange | null = null
  /** The client's side as the codec gave it, while a filter changes the response's body; else null. */
  plainDown: Downstream | null = null
  /** What of the response waits for a slow client; null = its peer waits, too. */
  ahead: AheadDownstream | null = null
  held: Uint8Array[] | null = null
  responseTap: ResponseTap | null = null
  /** The head waits for a response filter: when it leaves, the upstream's turn, whose end would flush it, is long over. */
  headWaits = false
  responseDone = false
  responseTrailers = ""
  /** Deadlines of the whole exchange and of the wait for 100 (Continue), made when first needed. */
  requestDeadline: Deadline | null = null
  continueDeadline: Deadline | null = null
  continued = false

  now(): number {
    return clock.now()
  }

  reset(): void {
    this.kept = null
    this.keptBytes = 0
    this.keepBytesMax = 0
    this.aheadBytesMax = AHEAD_BYTES_MAX
    this.bodyWaiter = null
    this.upReady = false
    this.requestEnded = false
    this.requestTrailers = ""
    this.requestChange = null
    this.plainDown = null
    this.ahead = null
    this.held = null
    this.responseTap = null
    this.headWaits = false
    this.responseDone = false
    this.responseTrailers = ""
    this.continued = false
    if (this.requestDeadline !== null) this.requestDeadline.cancel()
    if (this.continueDeadline !== null) this.continueDeadline.cancel()
  }

  /** Some of the request body has been sent and not kept. */
  get lost(): boolean {
    return this.kept === null && this.keptBytes > 0
  }

  /** True when an attempt could be given the whole request. */
  get replayable(): boolean {
    return !this.lost
  }
}

export function requestBodyCame(x: Exchange, chunk: Uint8Array): void {
  const pump = x.pump
  x.requestBytes += chunk.length
  const max = x.plan!.bodyBytesMax
  if (max > 0 && x.requestBytes > max) {
    x.onRequestFault(FAULT.bodyTooLarge)
    return
  }
  keep(pump, chunk)
  if (pump.upReady) {
    const up = x.up!
    up.sendBody(chunk)
    // Also what has to wait: a client that waits for an answer to this chunk sends no other that would push it out. The chunk may have ended the attempt.
    if (x.up === up && !up.flush()) x.down!.pauseBody()
  } else if (pump.keptBytes > pump.aheadBytesMax && x.down !== null) {
    x.down.pauseBody()
    tellWaiter(x)
  }
}

function tellWaiter(x: Exchange): void {
  const waiter = x.pump.bodyWaiter
  x.pump.bodyWaiter = null
  if (waiter !== null) waiter.bodyCame(x)
}

/** Holds a chunk of the request for the first attempt, or for another one. */
export function keep(pump: Pump, chunk: Uint8Array): void {
  if (pump.upReady && (pump.lost || pump.keptBytes + chunk.length > pump.keepBytesMax)) {
    // Sent and not kept: from here on there is no other attempt.
    pump.kept = null
    pump.keptBytes += chunk.length
    return
  }
  if (pump.kept === null) pump.kept = []
  pump.kept.push(chunk)
  pump.keptBytes += chunk.length
}

export function requestEndCame(x: Exchange, trailers: string): void {
  const pump = x.pump
  pump.requestEnded = true
  pump.requestTrailers = trailers
  if (pump.upReady) x.up!.sendEnd(trailers)
  else tellWaiter(x)
}

/** The attempt's connection has the head: give it what has come of the body. */
export function feedUp(x: Exchange): void {
  const pump = x.pump
  const up = x.up!
  assert(up !== null, "an attempt has its connection")
  pump.upReady = true
  let full = false
  const kept = pump.kept
  if (kept !== null) {
    for (let i = 0; i < kept.length && x.up === up; i++) full = !up.sendBody(kept[i]!) || full
    if (pump.keptBytes > pump.keepBytesMax) pump.kept = null
  }
  if (x.up !== up) return
  if (pump.requestEnded || x.requestBody === 0) {
    pump.requestEnded = true
    up.sendEnd(pump.requestTrailers)
    return
  }
  if (up.flush() && !full && x.down !== null) x.down.resumeBody()
}

export function upDrained(x: Exchange): void {
  if (x.down !== null && !x.pump.requestEnded) x.down.resumeBody()
}

export function downDrained(x: Exchange): void {
  const { ahead } = x.pump
  if (ahead !== null && !ahead.drained()) return
  if (x.up !== null) x.up.resumeBody()
}

export function interimCame(x: Exchange, status: number, lines: string): void {
  if (x.down === null || x.headSent) return
  if (status === 100) {
    if (x.pump.continued) return
    x.pump.continued = true
    x.down.continueBody()
  } else x.down.sendInterim(status, lines)
}

export function responseBodyCame(x: Exchange, chunk: Uint8Array): void {
  if (!x.headSent) {
    if (x.pump.held === null) x.pump.held = []
    x.pump.held.push(chunk)
    const tap = x.pump.responseTap
    if ((tap === null || !tap.chunkCame(chunk)) && x.up !== null) x.up.pauseBody()
    return
  }
  x.responseBytes += chunk.length
  if (!x.down!.sendBody(chunk) && x.up !== null) x.up.pauseBody()
}

export function responseTextCame(x: Exchange, text: string): void {
  if (!x.headSent) {
    responseBodyCame(x, Buffer.from(text, "latin1"))
    return
  }
  x.responseBytes += text.length
  x.down!.sendText(text)
}

export function responseEndCame(x: Exchange, trailers: string): void {
  x.up = null
  x.pump.upReady = false
  x.pump.responseDone = true
  x.pump.responseTrailers = trailers
  if (!x.headSent) {
    if (x.pump.responseTap !== null) x.pump.responseTap.endCame()
    return
  }
  x.down!.sendEnd(trailers)
  // Where the end has to wait for the client, the exchange does.
  if (x.pump.ahead === null || !x.pump.ahead.endWaits) resume(x, NEXT)
}

/** Reads the response's body for `tap` while its head waits: what has come of it at once. `null` ends that. */
export function tapResponse(x: Exchange, tap: ResponseTap | null): void {
  const { pump } = x
  pump.responseTap = tap
  if (tap === null) return
  const { held } = pump
  let more = true
  if (held !== null) for (let i = 0; i < held.length; i++) more = tap.chunkCame(held[i]!)
  if (pump.responseDone) tap.endCame()
  else if (more && x.up !== null) x.up.resumeBody()
}

/** Sends what had to wait for the head; true when that was all of the response. */
export function deliverHeld(x: Exchange): boolean {
  const pump = x.pump
  const held = pump.held
  pump.held = null
  let full = false
  if (held !== null) {
    for (let i = 0; i < held.length; i++) {
      x.responseBytes += held[i]!.length
      full = !x.down!.sendBody(held[i]!) || full
    }
  }
  if (pump.responseDone) {
    x.down!.sendEnd(pump.responseTrailers)
    return pump.ahead === null || !pump.ahead.endWaits
  }
  if (pump.headWaits) full = !x.down!.flush() || full
  if (!full && x.up !== null) x.up.resumeBody()
  return false
}
