import { startProgram } from "./processes.ts"

export interface WrkResult {
  readonly requests: number
  /** Answers other than 2xx and 3xx, and connections, reads, writes and answers that failed. */
  readonly failed: number
  /** What wrk said, for the message of a test that fails. */
  readonly output: string
}

export interface WrkOptions {
  readonly seconds: number
  readonly connections?: number
  /** A connection for each request. */
  readonly fresh?: boolean
}

/** Loads one address with wrk. */
export async function wrk(url: string, { seconds, connections = 16, fresh = false }: WrkOptions): Promise<WrkResult> {
  const args = ["-t1", `-c${connections}`, `-d${seconds}`, "--timeout", "10s", ...(fresh ? ["-H", "Connection: close"] : []), url]
  const program = startProgram("wrk", "wrk", args)
  const code = await program.exit()
  const output = program.lines.join("\n") + program.stderr
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${output}`)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? []
  const answers = /Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? "0"
  const failed = [...errors, answers].reduce((sum, text) => sum + Number(text), 0)
  return { requests: Number(/(\d+) requests in/.exec(output)?.[1] ?? 0), failed, output }
}
