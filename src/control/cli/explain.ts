import type { Command } from "commander"
import { type Config, loadConfig } from "../../config/index.ts"
import { printProblems } from "./config-problems.ts"
import { EXIT } from "./exit-codes.ts"
import type { CommandContext } from "./program.ts"
import { several } from "./serve-options.ts"
import { type Style, styleOf } from "./terminal.ts"
import { UsageError } from "./usage-error.ts"

/** A request as it is asked about. */
export interface ExplainRequest {
  readonly method: string
  /** Absolute URL, or `host:port` for CONNECT. */
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  /** Address of the client. */
  readonly from: string
  /** Name of the listener; null = the first that takes this kind of request. */
  readonly listener: string | null
}

export interface Explanation {
  /** Some route takes the request. */
  readonly routed: boolean
  /** For people: one line a step, each route with why it matches or does not. */
  text(style: Style): string
  /** The same for machines; plain data. */
  readonly facts: unknown
}

export type Explain = (config: Config, request: ExplainRequest) => Explanation | Promise<Explanation>

interface ExplainOptions {
  readonly header?: readonly string[]
  readonly from: string
  readonly listener?: string
  readonly json?: boolean
}

const examples = `
Examples:
  bothways explain bothways.yaml GET https://shop.example/api/1
  bothways explain bothways.yaml GET http://shop.example/ -H 'X-Beta: 1' --from 203.0.113.7 --listener web
  bothways explain bothways.yaml CONNECT shop.example:443 --listener egress
`

export function addExplain(program: Command, context: CommandContext, explain: Explain): void {
  program
    .command("explain")
    .description("what a config would do with a request: which route takes it and why, and what happens to it there; sends nothing")
    .argument("<config>", "file or directory")
    .argument("<method>", "GET, POST, CONNECT …")
    .argument("<url>", "http://host/path, or host:port for CONNECT")
    .option("-H, --header <field>", "'Name: value'; repeatable", several)
    .option("--from <address>", "address of the client", "127.0.0.1")
    .option("--listener <name>", "listener that the request comes in on (default: the first that takes it)")
    .option("--json", "as JSON")
    .addHelpText("after", examples)
    .action(async (file: string, method: string, url: string, options: ExplainOptions) => {
      const request = explainRequest(method, url, options)
      const loaded = await loadConfig(file)
      if (!loaded.ok) {
        printProblems(loaded.problems, true, context)
        return context.exit(EXIT.badConfig)
      }
      if (request.listener !== null && !Object.hasOwn(loaded.config.listeners, request.listener)) {
        throw new UsageError(
          `--listener: there is no listener ${request.listener}; expected one of ${Object.keys(loaded.config.listeners).join(", ")}`,
        )
      }
      const explanation = await explain(loaded.config, request)
      context.out.write(
        options.json === true ? `${JSON.stringify(explanation.facts, null, 2)}\n` : explanation.text(styleOf(context.out, context.env)),
      )
      context.exit(explanation.routed ? EXIT.ok : EXIT.failed)
    })
}

/** Reads the arguments; throws UsageError. */
export function explainRequest(method: string, url: string, options: ExplainOptions): ExplainRequest {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) throw new UsageError(`expected a method such as GET, got ${JSON.stringify(method)}`)
  const tunnel = method === "CONNECT"
  if (tunnel && !/^(?:\[[0-9A-Fa-f:.]+\]|[^:/?#@\s]+):\d{1,5}$/.test(url))
    throw new UsageError(`expected host:port for CONNECT, got ${JSON.stringify(url)}`)
  if (!tunnel && !/^https?:\/\/[^/?#\s]+/i.test(url))
    throw new UsageError(`expected a URL such as http://shop.example/path, got ${JSON.stringify(url)}`)
  return { method, url, headers: (options.header ?? []).map(readHeader), from: options.from, listener: options.listener ?? null }
}

function readHeader(text: string): readonly [string, string] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(text)
  if (match === null) throw new UsageError(`-H: expected 'Name: value', got ${JSON.stringify(text)}`)
  return [match[1]!, match[2]!]
}
