import { startProgram } from "./processes.ts"

export interface H2LoadResult {
  /** Answers of 2xx. */
  readonly succeeded: number
  /** Requests that were not answered so. After a GOAWAY these are also those that h2load had prepared and did not send, so that they say nothing. */
  readonly failed: number
  /** What h2load said, for the message of a test that fails. */
  readonly output: string
}

/** Loads one address over HTTP/2, by prior knowledge where the scheme is http. */
export async function h2load(
  url: string,
  { requests, clients = 8, streams = 10 }: { requests: number; clients?: number; streams?: number },
): Promise<H2LoadResult> {
  const program = startProgram("h2load", "h2load", ["-t1", `-c${clients}`, `-m${streams}`, `-n${requests}`, url])
  const code = await program.exit()
  const output = program.lines.join("\n") + program.stderr
  if (code !== 0) throw new Error(`h2load ended with ${code}: ${output}`)
  const succeeded = Number(/(\d+) succeeded/.exec(output)?.[1])
  return { succeeded, failed: requests - succeeded, output }
}
