import { type Command, InvalidArgumentError } from "commander"
import { formatDuration, parseDuration } from "../../base/index.ts"
import type { UpgradeOutcome } from "../upgrade/upgrader.ts"
import { UPGRADE_MS } from "../upgrade/upgrader.ts"
import { askAdmin } from "./admin-client.ts"
import { addAdminOptions, type AdminOptions, adminTarget } from "./admin-options.ts"
import { EXIT } from "./exit-codes.ts"
import type { CommandContext } from "./program.ts"
import { styleOf, withProgress } from "./terminal.ts"

interface UpgradeOptions extends AdminOptions {
  readonly timeout?: number
}

/** Beyond the time limit of the new process: looking whether the program runs, and the answer. */
const PATIENCE_MS = 30_000

export function addUpgrade(program: Command, context: CommandContext): void {
  const command = program
    .command("upgrade")
    .description("have the program that is on disk now take over from a running instance, without a dropped connection")
    .option("--timeout <duration>", `how long the new process may take to serve (default: ${formatDuration(UPGRADE_MS)})`, readDuration)
  addAdminOptions(command).action(async (options: UpgradeOptions) => {
    const target = await adminTarget(options, context)
    const timeoutMs = options.timeout ?? UPGRADE_MS
    const asked = askAdmin(target, "POST", `/upgrade?timeout=${timeoutMs}ms`, timeoutMs + PATIENCE_MS)
    const reply = await withProgress(context, `waiting for the new process`, asked)
    context.exit(report(reply.status, readReply(reply.body), context))
  })
}

function readDuration(text: string): number {
  const ms = parseDuration(text)
  if (ms === null || ms <= 0) throw new InvalidArgumentError('expected a duration such as "60s"')
  return ms
}

type Reply = UpgradeOutcome | { readonly ok?: undefined; readonly error?: string }

function readReply(body: string): Reply {
  try {
    return JSON.parse(body) as Reply
  } catch {
    return { error: "the answer is not JSON; is this the admin address?" }
  }
}

function report(status: number, reply: Reply, context: CommandContext): number {
  if (status === 200 && reply.ok === true) {
    const { version, pid, from } = reply
    context.out.write(`bothways ${version} serves as process ${pid}; process ${from.pid}, version ${from.version}, finishes what it has open\n`)
    return EXIT.ok
  }
  const red = styleOf(context.err, context.env).red
  if (reply.ok !== false) {
    context.err.write(
      `${red("bothways:")} ${reply.ok === undefined ? (reply.error ?? `the instance answered ${status}`) : `the instance answered ${status}`}\n`,
    )
    return EXIT.noInstance
  }
  context.err.write(`${red("bothways:")} not upgraded; the running process serves on: ${reply.reason}\n`)
  return reply.code > 0 && reply.code < 128 ? reply.code : EXIT.failed
}
