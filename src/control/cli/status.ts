import type { Command } from "commander"
import type { Status } from "../admin/status.ts"
import { askAdmin } from "./admin-client.ts"
import { addAdminOptions, type AdminOptions, adminTarget } from "./admin-options.ts"
import { EXIT } from "./exit-codes.ts"
import type { CommandContext } from "./program.ts"
import { statusText } from "./status-text.ts"
import { styleOf } from "./terminal.ts"

interface StatusOptions extends AdminOptions {
  readonly json?: boolean
}

export function addStatus(program: Command, context: CommandContext): void {
  const command = program
    .command("status")
    .description("what a running instance is doing: workers, listeners, clusters with their peers")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (options: StatusOptions) => {
    const target = await adminTarget(options, context)
    const reply = await askAdmin(target, "GET", "/status", 5000)
    const status = reply.status === 200 ? readStatus(reply.body) : null
    if (status === null) {
      const reason =
        reply.status === 401 ? "it wants the admin token: set BOTHWAYS_ADMIN_TOKEN or name the --config" : "is this the admin address of bothways?"
      context.err.write(`${styleOf(context.err, context.env).red("bothways:")} ${target.address} answered ${reply.status}; ${reason}\n`)
      return context.exit(EXIT.noInstance)
    }
    context.out.write(options.json === true ? reply.body : statusText(status, styleOf(context.out, context.env)))
  })
}

function readStatus(body: string): Status | null {
  try {
    const value = JSON.parse(body) as Status
    return value.name === "bothways" ? value : null
  } catch {
    return null
  }
}
