import type { Command } from "commander"
import { explain, ExplainError, type LiveCluster, loadConfig } from "../../config/index.ts"
import type { Status } from "../admin/status.ts"
import { askAdmin } from "./admin-client.ts"
import { type AdminOptions, adminTarget } from "./admin-options.ts"
import { printProblems } from "./config-problems.ts"
import { EXIT } from "./exit-codes.ts"
import { explanationText } from "./explain-text.ts"
import type { CommandContext } from "./program.ts"
import { several } from "./serve-options.ts"
import { styleOf } from "./terminal.ts"
import { UsageError } from "./usage-error.ts"

interface ExplainOptions {
  readonly header?: readonly string[]
  readonly from: string
  readonly listener?: string
  readonly live?: boolean
  readonly admin?: string
  readonly json?: boolean
}

const examples = `
Examples:
  bothways explain bothways.yaml GET https://shop.example/api/1
  bothways explain bothways.yaml GET http://shop.example/ -H 'X-Beta: 1' --from 203.0.113.7 --listener web
  bothways explain bothways.yaml CONNECT shop.example:443 --listener egress

Exit code 1 when the proxy would answer with a fault of its own, such as no route or a refusal.
`

export function addExplain(program: Command, context: CommandContext): void {
  program
    .command("explain")
    .description("what a config does with a request: which route takes it and why, and what becomes of it there; sends nothing")
    .argument("<config>", "file or directory")
    .argument("<method>", "GET, POST, CONNECT …")
    .argument("<url>", "http://host/path, or host:port for CONNECT")
    .option("-H, --header <field>", "'Name: value'; repeatable", several)
    .option("--from <address>", "address of the client", "127.0.0.1")
    .option("--listener <name>", "listener that the request comes in on (default: the one that the URL leads to)")
    .option("--live", "ask the running instance how its peers are")
    .option("--admin <address>", "where it is (default: as the config says); with --live")
    .option("--json", "as JSON")
    .addHelpText("after", examples)
    .action(async (file: string, method: string, url: string, options: ExplainOptions) =>
      context.exit(await runExplain({ file, method, url }, options, context)),
    )
}

interface Question {
  readonly file: string
  readonly method: string
  readonly url: string
}

async function runExplain({ file, method, url }: Question, options: ExplainOptions, context: CommandContext): Promise<number> {
  const loaded = await loadConfig(file)
  if (!loaded.ok) {
    printProblems(loaded.problems, true, context)
    return EXIT.badConfig
  }
  const request = { method, url, fields: options.header ?? [], from: options.from, listener: options.listener ?? null }
  const live = options.live === true ? await livePeers(file, options.admin, context) : null
  try {
    const explanation = await explain(loaded.config, request, { baseDir: loaded.baseDir, live })
    context.out.write(
      options.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation, styleOf(context.out, context.env)),
    )
    return explanation.answer.kind === "fault" ? EXIT.failed : EXIT.ok
  } catch (error) {
    if (error instanceof ExplainError) throw new UsageError(error.message)
    throw error
  }
}

async function livePeers(config: string, admin: string | undefined, context: CommandContext): Promise<readonly LiveCluster[]> {
  const options: AdminOptions = admin === undefined ? { config } : { config, admin }
  const target = await adminTarget(options, context)
  const reply = await askAdmin(target, "GET", "/status", 5000)
  if (reply.status !== 200) throw new UsageError(`${target.address} answered ${reply.status}; is this the admin address, and the token right?`)
  return (JSON.parse(reply.body) as Status).clusters
}
