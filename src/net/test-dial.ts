import { expect } from "bun:test"
import { readdirSync } from "node:fs"
import { dial, type DialFailure, type DialHandler, type DialOptions, type DialTarget } from "./dial.ts"
import { testTime, until } from "./test-time.ts"
import type { Wire, WireHandler } from "./wire.ts"

/** What became of a dial. */
export interface Outcome {
  wire: Wire | null
  alpn: string
  failure: DialFailure | ""
  detail: string
  received: string
  ended: number
  closed: number
  error: Error | null
  calls: number
}

/** A handler that keeps what it hears. */
export function watch(): Outcome & DialHandler {
  const listener: WireHandler = {
    onData(_wire, chunk) {
      outcome.received += chunk.toString()
    },
    onDrain() {},
    onEnd() {
      outcome.ended++
    },
    onClose(_wire, error) {
      outcome.closed++
      outcome.error = error
    },
  }
  const outcome: Outcome & DialHandler = {
    wire: null,
    alpn: "",
    failure: "",
    detail: "",
    received: "",
    ended: 0,
    closed: 0,
    error: null,
    calls: 0,
    onOpen(wire, alpn) {
      outcome.calls++
      outcome.wire = wire
      outcome.alpn = alpn
      return listener
    },
    onFailed(kind, detail) {
      outcome.calls++
      outcome.failure = kind
      outcome.detail = detail
    },
  }
  return outcome
}

/** Dials and waits for the outcome, which never comes before `dial` has returned. */
export async function outcomeOf(target: DialTarget, options: Partial<DialOptions> = {}): Promise<Outcome> {
  const outcome = watch()
  dial(target, { time: testTime, timeoutMs: 1000, ...options }, outcome)
  expect(outcome.calls).toBe(0)
  await until(() => outcome.calls > 0, "an outcome")
  return outcome
}

/** Open descriptors of this process. */
export function descriptors(): number {
  return readdirSync("/proc/self/fd").length
}
