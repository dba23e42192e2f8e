import { execFile } from "node:child_process"

/** What a program said until its end. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of this machine to its end; output beyond 64 MB ends it. */
export function run(command: string, ...args: string[]): Promise<Ran> {
  return new Promise(resolve => {
    execFile(command, args, { timeout: 20_000, maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}
