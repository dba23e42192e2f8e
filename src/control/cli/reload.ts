import type { Command } from "commander"
import { askAdmin } from "./admin-client.ts"
import { addAdminOptions, type AdminOptions, adminTarget } from "./admin-options.ts"
import { EXIT } from "./exit-codes.ts"
import type { CommandContext } from "./program.ts"
import { styleOf, withProgress } from "./terminal.ts"

interface ReloadReply {
  readonly ok?: boolean
  readonly version?: number
  readonly changed?: boolean
  readonly error?: string
  readonly problems?: readonly string[]
  readonly warnings?: readonly string[]
}

export function addReload(program: Command, context: CommandContext): void {
  const command = program.command("reload").description("have a running instance load its config again; a bad config changes nothing")
  addAdminOptions(command).action(async (options: AdminOptions) => {
    const target = await adminTarget(options, context)
    const reply = await withProgress(context, `waiting for ${target.address}`, askAdmin(target, "POST", "/reload"))
    context.exit(report(reply.status, readReply(reply.body), context))
  })
}

function readReply(body: string): ReloadReply {
  try {
    return JSON.parse(body) as ReloadReply
  } catch {
    return { error: "the answer is not JSON; is this the admin address?" }
  }
}

function report(status: number, reply: ReloadReply, context: CommandContext): number {
  const style = styleOf(context.err, context.env)
  for (const warning of reply.warnings ?? []) context.err.write(`${style.yellow("warning:")} ${warning}\n`)
  if (status === 200 && reply.ok === true) {
    context.out.write(
      reply.changed === true
        ? `config version ${reply.version} is live\n`
        : `the config is unchanged (version ${reply.version}); certificates were read again\n`,
    )
    return EXIT.ok
  }
  context.err.write(`${style.red("bothways:")} ${reply.error ?? `the instance answered ${status}`}\n`)
  for (const problem of reply.problems ?? []) context.err.write(`  ${problem}\n`)
  return status === 422 ? EXIT.badConfig : EXIT.noInstance
}
