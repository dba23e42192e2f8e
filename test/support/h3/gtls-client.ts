import { readFileSync } from "node:fs"
import { join } from "node:path"
import { startProgram, temporaryFolder } from "../processes.ts"

export const gtlsClientPath = "/usr/bin/gtlsclient"

export interface GtlsRequest {
  readonly method?: string
  /** Sent as the body. */
  readonly data?: string
  /** More of the command line. */
  readonly args?: readonly string[]
  /** How long the connection may be silent. Default 2 s. */
  readonly timeout?: string
}

export interface GtlsAnswer {
  readonly code: number | null
  /** Header lines of all answers in their order, `name: value`. */
  readonly fields: readonly string[]
  readonly statuses: readonly number[]
  /** All that it says. */
  readonly text: string
}

/** ngtcp2's client, a second opinion on the runtime's QUIC: asks for these targets over one connection, and ends. */
export async function gtlsClient(
  port: number,
  targets: readonly string[],
  { method, data, args = [], timeout = "2s" }: GtlsRequest = {},
): Promise<GtlsAnswer> {
  const urls = targets.map(target => `https://a.test:${port}${target}`)
  const options = ["--exit-on-all-streams-close", `--timeout=${timeout}`, "--no-quic-dump", ...args]
  if (method !== undefined) options.push(`--http-method=${method}`)
  if (data !== undefined) options.push(`--data=${data}`)
  const program = startProgram("gtlsclient", gtlsClientPath, [...options, "127.0.0.1", String(port), ...urls])
  const code = await program.exit()
  const text = program.stderr + program.lines.join("\n")
  const fields = [...text.matchAll(/^http: stream 0x[0-9a-f]+ \[(.+?)\]/gim)].map(match => match[1]!)
  return { code, text, fields, statuses: fields.flatMap(line => (line.startsWith(":status: ") ? [Number(line.slice(9))] : [])) }
}

/** Where it keeps a session, so that the next connection can send early data. */
export class GtlsSession {
  private readonly folder = temporaryFolder("session")

  get args(): string[] {
    return [`--session-file=${join(this.folder, "session")}`, `--tp-file=${join(this.folder, "parameters")}`]
  }

  get isKept(): boolean {
    try {
      return readFileSync(join(this.folder, "session")).length > 0 && readFileSync(join(this.folder, "parameters")).length > 0
    } catch {
      return false
    }
  }
}
