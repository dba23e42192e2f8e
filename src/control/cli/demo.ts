import { type Command, InvalidArgumentError } from "commander"
import { memorySource } from "../config-source.ts"
import { demoConfig, demoLines, type DemoPorts, demoPorts } from "../demo/demo-config.ts"
import { startDemoOrigins } from "../demo/demo-origins.ts"
import type { CommandContext } from "./program.ts"
import { serve } from "./serve.ts"
import { styleOf } from "./terminal.ts"

interface DemoOptions {
  readonly reversePort: number
  readonly forwardPort: number
  readonly adminPort: number
  readonly quiet?: boolean
}

const names = ["alpha", "beta", "gamma"]

export function addDemo(program: Command, context: CommandContext): void {
  program
    .command("demo")
    .description("three small origins on this machine, a reverse and a forward proxy in front of them, and three curl lines to try")
    .option("--reverse-port <port>", "port of the reverse proxy", readPort, demoPorts.reverse)
    .option("--forward-port <port>", "port of the forward proxy", readPort, demoPorts.forward)
    .option("--admin-port <port>", "port of the admin API", readPort, demoPorts.admin)
    .option("-q, --quiet", "only the three lines, warnings and errors")
    .action(async (options: DemoOptions) => context.exit(await runDemo(options, context)))
}

async function runDemo(options: DemoOptions, context: CommandContext): Promise<number> {
  const ports: DemoPorts = { reverse: options.reversePort, forward: options.forwardPort, admin: options.adminPort }
  const origins = await startDemoOrigins(names)
  const flags = { "listeners.reverse.bind": "--reverse-port", "listeners.forward.bind": "--forward-port", "admin.bind": "--admin-port" }
  try {
    const source = memorySource("bothways demo", demoConfig(origins, ports), flags)
    return await serve(
      source,
      { quiet: true, watch: false, workers: 1, started: () => announce(options, demoLines(origins, ports, context.env), context) },
      context,
    )
  } finally {
    for (const origin of origins) origin.close()
  }
}

function announce(options: DemoOptions, lines: readonly string[], context: CommandContext): void {
  const style = styleOf(context.out, context.env)
  const [reverse, forward, status] = lines
  if (options.quiet === true) return void context.out.write(`${lines.join("\n")}\n`)
  context.out.write(
    `${style.bold("Bothways demo")}: three origins (${names.join(", ")}) on this machine, and one proxy in front of them.\n\n` +
      `Reverse: each request goes to the next origin.\n  ${style.green(reverse!)}\n\n` +
      `Forward: the client says where to. In this demo it reaches the three origins and nothing else.\n  ${style.green(forward!)}\n\n` +
      `Status: listeners, workers, peers.\n  ${style.green(status!)}\n\n` +
      `Ctrl-C ends it.\n`,
  )
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65535) throw new InvalidArgumentError("expected a port from 1 to 65535")
  return port
}
