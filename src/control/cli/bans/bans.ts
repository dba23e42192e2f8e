import type { Command } from "commander"
import type { ListedBan } from "../../bans/ban-feature.ts"
import { addAdminOptions, type AdminOptions } from "../admin-options.ts"
import { askCaches } from "../cache/admin/ask-caches.ts"
import { plural } from "../cache/cell.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { UsageError } from "../usage-error.ts"
import { bansText } from "./bans-text.ts"

interface BanCommand extends AdminOptions {
  readonly zone?: string
  readonly json?: boolean
}

const examples = `
Examples:
  bothways bans list
  bothways bans add 192.0.2.7 --for 2h --reason "scans our ports"
  bothways bans remove 192.0.2.7
`

/** `bothways bans list|add|remove`. */
export function addBans(program: Command, context: CommandContext): void {
  const bans = program.command("bans").description("who is banned on a running instance, and bans by hand").addHelpText("after", examples)
  addList(bans, context)
  addAdd(bans, context)
  addRemove(bans, context)
}

function addList(bans: Command, context: CommandContext): void {
  const command = bans.command("list").description("list the bans that hold").option("--zone <name>", "only of this zone").option("--json", "as JSON")
  addAdminOptions(command).action(async (options: BanCommand) => {
    const reply = await askCaches<{ bans: ListedBan[] }>({ method: "GET", path: "/bans", query: { zone: options.zone } }, options, context)
    if (reply === null) return
    context.out.write(options.json === true ? reply.body : bansText(reply.value.bans, styleOf(context.out, context.env)))
  })
}

function addAdd(bans: Command, context: CommandContext): void {
  const command = bans
    .command("add <key>")
    .description("ban an address, a user or whatever the zone's bans are by")
    .option("--for <duration>", "how long (default: 10m)")
    .option("--reason <text>", "why, for the list")
    .option("--zone <name>", "where (default: the only zone, or `default`)")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (key: string, options: BanCommand & { for?: string; reason?: string }) => {
    const query = { key, for: options.for, reason: options.reason, zone: options.zone }
    const reply = await askCaches<{ key: string; zone: string; until: number }>({ method: "POST", path: "/bans/add", query }, options, context)
    if (reply === null) return
    const { value } = reply
    context.out.write(
      options.json === true ? reply.body : `${value.key} is banned in zone ${value.zone} until ${new Date(value.until).toISOString()}\n`,
    )
  })
}

function addRemove(bans: Command, context: CommandContext): void {
  const command = bans
    .command("remove [key]")
    .description("end a ban")
    .option("--all", "end all bans")
    .option("--zone <name>", "only in this zone (default: in all)")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (key: string | undefined, options: BanCommand & { all?: boolean }) => {
    if ((key === undefined) === (options.all !== true)) throw new UsageError("expected a key or --all: whose ban is to end?")
    const query = { key, all: options.all === true ? "true" : undefined, zone: options.zone }
    const reply = await askCaches<{ removed: number }>({ method: "POST", path: "/bans/remove", query }, options, context)
    if (reply === null) return
    context.out.write(options.json === true ? reply.body : `${plural(reply.value.removed, "ban has", "bans have")} ended\n`)
  })
}
