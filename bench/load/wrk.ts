import { startProgram } from "../../test/support/processes.ts"
import { loadCores } from "../setting.ts"

export interface WrkOptions {
  readonly seconds: number
  readonly connections?: number
  readonly headers?: readonly string[]
  /** A Lua script that makes other requests than GET. */
  readonly script?: string
}

/** Loads one address with wrk; gives the number of requests answered. Any answer but 2xx and 3xx, and any error of a socket, is a failure. */
export async function wrk(url: string, { seconds, connections = 64, headers = [], script }: WrkOptions): Promise<number> {
  const args = ["-t1", `-c${connections}`, `-d${seconds}`, ...headers.flatMap(header => ["-H", header]), ...(script ? ["-s", script] : []), url]
  const output = await loadOutput("wrk", args)
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+)/
    .exec(output)
    ?.slice(1)
    .some(count => count !== "0")
  if (requests === 0 || errors || output.includes("Non-2xx")) throw new Error(`wrk ${url}: ${output}`)
  return requests
}

/** Runs a load generator beside the proxy's core and gives what it printed. */
export async function loadOutput(command: string, args: readonly string[]): Promise<string> {
  const program = startProgram(command, "taskset", ["-c", loadCores, command, ...args])
  const code = await program.exit()
  const output = program.lines.join("\n") + program.stderr
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${output}`)
  return output
}
