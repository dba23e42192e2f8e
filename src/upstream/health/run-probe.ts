import type { Socket } from "node:net"
import { formatDuration } from "../../base/index.ts"
import type { HealthTarget } from "../../plugin/index.ts"
import { openProbe } from "./probe-socket.ts"

/** One probe's talk. Each call may settle it: null = go on, "" = success, else the reason of the failure. */
export interface ProbeTalk {
  opened(send: (text: string) => void): string | null
  received(chunk: Buffer): string | null
  /** The peer sends no more. */
  ended(): string | null
}

/** Opens a connection, holds the talk and closes. `timeoutMs` is for all of it: connection, TLS handshake and the last octet of a slow body. */
export function runProbe(target: HealthTarget, port: number, timeoutMs: number, talk: ProbeTalk): Promise<string | null> {
  return new Promise(resolve => {
    let socket: Socket | null = null
    let settled = false
    const settle = (outcome: string | null) => {
      if (outcome === null || settled) return
      settled = true
      clearTimeout(timer)
      socket?.destroy()
      resolve(outcome === "" ? null : outcome)
    }
    const timer = setTimeout(() => settle(`no whole answer within ${formatDuration(timeoutMs)}`), timeoutMs)
    try {
      socket = openProbe(target, port, {
        open: opened => settle(talk.opened(text => void opened.write(text))),
        data: chunk => settle(talk.received(chunk)),
        end: () => settle(talk.ended()),
        error: reason => settle(reason),
      })
    } catch (error) {
      // A certificate or key that does not parse is told by an exception.
      settle(error instanceof Error ? error.message : String(error))
    }
  })
}
