import { spawn } from "node:child_process"
import { isIP } from "node:net"
import type { Log } from "../../../base/index.ts"
import { AcmeProblem } from "../acme/acme-problem.ts"
import type { Challenge } from "./challenge.ts"

export interface HookOptions {
  /** Program and its first arguments. */
  readonly command: readonly string[]
  /** Milliseconds. */
  readonly timeout: number
  readonly wait: number
}

/** Characters of what the command said that are shown. */
const SAID_MAX = 400

/** RFC 8555 section 8.4: a command sets the record `_acme-challenge.NAME` of type TXT, and takes it away again. */
export function dnsChallenge(options: HookOptions, log: Log): Challenge {
  return {
    type: "dns-01",
    suits: name => isIP(name) === 0,
    async present({ name, digest }) {
      const record = `_acme-challenge.${name.replace(/^\*\./, "")}`
      const value = digest.toString("base64url")
      await runHook(options, "present", record, value)
      await new Promise(resolve => setTimeout(resolve, options.wait))
      return () =>
        runHook(options, "cleanup", record, value).catch((error: unknown) =>
          log.warn("a DNS record could not be taken away", { record, reason: (error as Error).message }),
        )
    },
  }
}

/** Rejects with AcmeProblem when it cannot be run, fails or takes too long. */
function runHook({ command, timeout }: HookOptions, action: "present" | "cleanup", name: string, value: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const [program, ...first] = command
  const env = { ...process.env, ACME_ACTION: action, ACME_NAME: name, ACME_VALUE: value }
  const child = spawn(program!, [...first, action, name, value], { env, stdio: ["ignore", "pipe", "pipe"], timeout, killSignal: "SIGKILL" })
  let said = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-SAID_MAX)
    })
  }
  const fail = (reason: string): void =>
    reject(new AcmeProblem("", `dns-01: ${program} ${action} ${name} ${reason}${said === "" ? "" : `: ${said.trim()}`}`))
  child.once("error", error => fail(`cannot be run (${error.message})`))
  child.once("close", (code, signal) => {
    if (code === 0) resolve()
    else fail(signal === null ? `ended with ${code}` : `did not end within ${timeout} ms`)
  })
  return promise
}
