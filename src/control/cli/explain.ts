import { formatAddress } from "../../base/index.ts"
import type { Command } from "commander"
import { type Config, explain, ExplainError, type Explanation, type ExplainRequest, type LiveCluster, loadConfig } from "../../config/index.ts"
import type { Status } from "../admin/status.ts"
import { type AdminTarget, askAdmin, NoInstanceError } from "./admin-client.ts"
import { adminDefault } from "./admin-options.ts"
import { printProblems } from "./config-problems.ts"
import { EXIT } from "./exit-codes.ts"
import { explanationText } from "./explain-text.ts"
import type { CommandContext } from "./program.ts"
import { several } from "./serve-options.ts"
import { styleOf, withProgress } from "./terminal.ts"
import { UsageError } from "./usage-error.ts"

interface ExplainOptions {
  readonly header?: readonly string[]
  readonly from: string
  readonly listener?: string
  readonly admin?: string | true
  readonly json?: boolean
  readonly user?: string
  readonly group?: readonly string[]
  readonly time?: string
}

const examples = `
The request is what a client would send: with Host to a reverse listener, with the whole URL or CONNECT to a forward one. A path alone is sent as it stands
and needs -H 'Host: …'. The exit code is 0 for a refusal too: it is an answer.

Examples:
  bothways explain bothways.yaml GET https://shop.example/api/1
  bothways explain bothways.yaml GET http://shop.example/ -H 'X-Beta: 1' --from 203.0.113.7 --listener web
  bothways explain bothways.yaml CONNECT shop.example:443 --listener egress
  bothways explain school.yaml CONNECT games.example:443 --user ann --group pupils --time 10:15
  bothways explain bothways.yaml GET http://shop.example/ --admin      with the peers' health as a running instance sees it
`

export function addExplain(program: Command, context: CommandContext): void {
  program
    .command("explain")
    .description("what a config does with a request: which route takes it and why, and what becomes of it there; sends nothing")
    .argument("<config>", "file or directory")
    .argument("<method>", "GET, POST, CONNECT …")
    .argument("<url>", "http://host/path, or host:port for CONNECT")
    .option("-H, --header <field>", "'Name: value'; repeatable", several)
    .option("--from <address>", "address that the connection comes from, or unix", "127.0.0.1")
    .option("--user <name>", "somebody whose log-in at the listener counts as right")
    .option("--group <name>", "a group of that user; repeatable", several)
    .option("--time <time>", "when it comes: 14:05 (today), 2026-11-26T14:05 (this machine's zone), or with a zone (default: now)")
    .option("--listener <name>", "listener that the request comes in on (default: the one whose address the URL names, or the only one)")
    .option("--admin [address]", `ask the running instance at this admin address how its peers are (default: the config's, or ${adminDefault})`)
    .option("--json", "as JSON")
    .addHelpText("after", examples)
    .action(async (file: string, method: string, url: string, options: ExplainOptions) => {
      const loaded = await withProgress(context, `loading ${file}`, loadConfig(file))
      if (!loaded.ok) {
        printProblems(loaded.problems, null, context)
        return context.exit(EXIT.badConfig)
      }
      const { config, baseDir } = loaded
      const live = options.admin === undefined ? null : await livePeers(options.admin, config, context)
      const request = { method, url, fields: options.header ?? [], from: options.from, listener: options.listener ?? null, ...whoAndWhen(options) }
      const explanation = await withProgress(context, "waiting for a filter", answerTo(config, request, { baseDir, live }))
      context.out.write(
        options.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation, styleOf(context.out, context.env)),
      )
    })
}

function whoAndWhen({ user, group, time }: ExplainOptions): Pick<ExplainRequest, "user" | "groups" | "at"> {
  if (group !== undefined && user === undefined) throw new UsageError("--group goes with --user: whose group is it?")
  return { ...(user === undefined ? {} : { user, groups: group ?? [] }), ...(time === undefined ? {} : { at: timeOf(time) }) }
}

/** Without a date it is today's. */
function timeOf(text: string): number {
  const clock = /^(\d{1,2}):(\d{2})$/.exec(text)
  const at = clock === null ? Date.parse(text) : new Date().setHours(Number(clock[1]), Number(clock[2]), 0, 0)
  if (Number.isNaN(at)) throw new UsageError(`--time: expected a time such as 14:05 or 2026-11-26T14:05, got ${JSON.stringify(text)}`)
  return at
}

async function answerTo(config: Config, request: ExplainRequest, options: Parameters<typeof explain>[2]): Promise<Explanation> {
  try {
    return await explain(config, request, options)
  } catch (error) {
    throw error instanceof ExplainError ? new UsageError(error.message) : error
  }
}

/** What the instance says of its peers; null, with a word on the error output, when it says nothing: the rest of the answer needs no instance. */
async function livePeers(admin: string | true, config: Config, context: CommandContext): Promise<readonly LiveCluster[] | null> {
  const own = config.admin === null ? adminDefault : formatAddress(config.admin.bind)
  const token = context.env["BOTHWAYS_ADMIN_TOKEN"] ?? ""
  const status = await readStatus({ address: admin === true ? own : admin, token: token === "" ? (config.admin?.token ?? "") : token })
  if (typeof status !== "string") return status.clusters
  context.err.write(`${styleOf(context.err, context.env).yellow("warning:")} ${status}; the health of peers is not known\n`)
  return null
}

/** The status, or why there is none. */
async function readStatus(target: AdminTarget): Promise<Status | string> {
  const stranger = `${target.address} does not answer as the admin API of bothways`
  try {
    const reply = await askAdmin(target, "GET", "/status", 5000)
    if (reply.status === 401) return `${target.address} wants the admin token: set BOTHWAYS_ADMIN_TOKEN`
    const status = reply.status === 200 ? (JSON.parse(reply.body) as Status) : null
    return status?.name === "bothways" ? status : stranger
  } catch (error) {
    if (error instanceof NoInstanceError) return error.message
    if (error instanceof SyntaxError) return stranger
    throw error
  }
}
