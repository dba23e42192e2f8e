import { type Clock, log } from "../../base/index.ts"

const everyMs = 60_000

/** Says once a minute, not once a batch, that a target of the access log cannot be written. */
export function brokenWarning(target: string, clock: Clock, warn: typeof log.warn = log.warn): (error: Error) => void {
  let saidAt = Number.NEGATIVE_INFINITY
  return error => {
    const now = clock.now()
    if (now - saidAt < everyMs) return
    saidAt = now
    warn("observe", "the access log cannot be written; lines wait, then are dropped", { target, error: error.message })
  }
}
