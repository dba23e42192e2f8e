import { main } from "../program.ts"

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The command line in this process: as the program, without its start. */
export async function runCli(args: readonly string[], env: Record<string, string> = {}, isTTY = false): Promise<Ran> {
  let stdout = ""
  let stderr = ""
  const code = await main(args, {
    out: { write: text => void (stdout += text), isTTY },
    err: { write: text => void (stderr += text), isTTY },
    env,
  })
  // on a busy machine a command says that it is still at work
  return { code, stdout, stderr: stderr.replace(/^(?:reading|waiting for) .* …\n/m, "") }
}

export interface LoggedRequest {
  readonly method?: string
  readonly host?: string
  readonly port?: number
  readonly scheme?: string
  readonly target?: string
  readonly status?: number
  readonly responseBytes?: number
  readonly cache?: string
  readonly cacheReason?: string
  readonly route?: string
  readonly fault?: string
  readonly time?: string
}

/** A line of the access log, format json. */
export function logLine(request: LoggedRequest = {}): string {
  const usual = {
    time: "2026-11-26T01:07:46.005Z",
    client: "192.0.2.17",
    method: "GET",
    scheme: "http",
    host: "shop.example",
    target: "/",
    version: "1.1",
  }
  const line = JSON.stringify({ ...usual, status: 200, route: "shop", durationMs: 3.1, requestBytes: 0, responseBytes: 1000, ...request })
  return `${line.replace(/[^ -~]/g, octet => `\\u${octet.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`
}
