import { request } from "node:http"
import type { Address } from "../../base/index.ts"

/** What came of asking the exit. `fault`: the code of ours that says why not; "" = it answered. */
export interface ProbeOutcome {
  readonly fault: string
  readonly status: number
}

const PATIENCE_MS = 30_000
/** The exit is to answer itself: this proxy takes the one off, and there is none left for the exit to pass it on (RFC 9110 section 7.6.2). */
const FORWARDS = "1"

/** Asks the exit through our own listener, so that connection, certificate and log-in are those that requests have. Never rejects. */
export function probeExit(listener: Address, host: string): Promise<ProbeOutcome> {
  const where = "path" in listener ? { socketPath: listener.path } : { host: reachable(listener.host), port: listener.port }
  return new Promise(resolve => {
    const failed = () => resolve({ fault: "upstream.connect-failed", status: 0 })
    const out = request(
      { ...where, method: "OPTIONS", path: `http://${host}/`, headers: { Host: host, "Max-Forwards": FORWARDS }, agent: false, timeout: PATIENCE_MS },
      response => {
        let text = ""
        response.setEncoding("utf8").on("data", (part: string) => {
          text = (text + part).slice(0, 4096)
        })
        response.on("end", () => resolve({ fault: /^fault: ([a-z0-9.-]+)/m.exec(text)?.[1] ?? "", status: response.statusCode ?? 0 }))
        response.on("error", failed)
      },
    )
    out.on("timeout", () => out.destroy())
    out.on("error", failed)
    out.end()
  })
}

/** What one binds to is not always what one can ask. */
function reachable(host: string): string {
  return host === "" || host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host
}
