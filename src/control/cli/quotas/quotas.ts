import type { Command } from "commander"
import type { ListedQuota } from "../../quotas/quota-feature.ts"
import { addAdminOptions, type AdminOptions } from "../admin-options.ts"
import { askCaches } from "../cache/admin/ask-caches.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { quotasText } from "./quotas-text.ts"

interface QuotaCommand extends AdminOptions {
  readonly quota?: string
  readonly key?: string
  readonly json?: boolean
}

const examples = `
Examples:
  bothways quotas list
  bothways quotas list --key ann
  bothways quotas reset ann
`

/** `bothways quotas list|reset`. */
export function addQuotas(program: Command, context: CommandContext): void {
  const quotas = program.command("quotas").description("what users have used of their quotas on a running instance").addHelpText("after", examples)
  const list = quotas
    .command("list")
    .description("list what was used in this period, the most first")
    .option("--quota <name>", "only of this quota")
    .option("--key <key>", "only of this user, address or whatever the quota is by")
    .option("--json", "as JSON")
  addAdminOptions(list).action(async (options: QuotaCommand) => {
    const query = { quota: options.quota, key: options.key }
    const reply = await askCaches<{ quotas: ListedQuota[] }>({ method: "GET", path: "/quotas", query }, options, context)
    if (reply === null) return
    context.out.write(options.json === true ? reply.body : quotasText(reply.value.quotas, styleOf(context.out, context.env)))
  })
  const reset = quotas
    .command("reset <key>")
    .description("let one begin anew")
    .option("--quota <name>", "only in this quota (default: in all)")
    .option("--json", "as JSON")
  addAdminOptions(reset).action(async (key: string, options: QuotaCommand) => {
    const query = { quota: options.quota, key }
    const reply = await askCaches<{ key: string; quotas: string[] }>({ method: "POST", path: "/quotas/reset", query }, options, context)
    if (reply === null) return
    context.out.write(options.json === true ? reply.body : `${reply.value.key} begins anew in ${reply.value.quotas.join(", ")}\n`)
  })
}
