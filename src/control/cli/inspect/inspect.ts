import type { Command } from "commander"
import type { ListedPin } from "../../inside/pinned-feature.ts"
import { addAdminOptions, type AdminOptions } from "../admin-options.ts"
import { age } from "../age.ts"
import { askCaches } from "../cache/admin/ask-caches.ts"
import { columns, plural, printable } from "../cache/cell.ts"
import type { CommandContext } from "../program.ts"
import { styleOf, type Style } from "../terminal.ts"
import { UsageError } from "../usage-error.ts"

interface InspectCommand extends AdminOptions {
  readonly json?: boolean
}

const examples = `
Examples:
  bothways inspect status                              sites that are not opened because a client knows their own certificate
  bothways inspect forget app.example                  try again with this one
  bothways inspect forget --all
  bothways explain bothways.yaml CONNECT app.example:443      what would be done with a host, without a connection
`

/** `bothways inspect status|forget`. */
export function addInspect(program: Command, context: CommandContext): void {
  const inspect = program.command("inspect").description("what a running instance does not open of its clients' TLS").addHelpText("after", examples)
  addStatus(inspect, context)
  addForget(inspect, context)
}

function addStatus(inspect: Command, context: CommandContext): void {
  const command = inspect.command("status").description("list the sites that are not opened any more, because a client did not take our certificate")
  addAdminOptions(command.option("--json", "as JSON")).action(async (options: InspectCommand) => {
    const reply = await askCaches<{ pinned: ListedPin[] }>({ method: "GET", path: "/inspect/pinned", query: {} }, options, context)
    if (reply === null) return
    context.out.write(options.json === true ? reply.body : pinnedText(reply.value.pinned, styleOf(context.out, context.env)))
  })
}

function addForget(inspect: Command, context: CommandContext): void {
  const command = inspect
    .command("forget [host]")
    .description("open a site again")
    .option("--client <address>", "only for this client")
    .option("--all", "all of them")
    .option("--json", "as JSON")
  addAdminOptions(command).action(async (host: string | undefined, options: InspectCommand & { client?: string; all?: boolean }) => {
    if ((host === undefined) === (options.all !== true)) throw new UsageError("expected a host or --all: what is to be opened again?")
    const query = { host, client: options.client, all: options.all === true ? "true" : undefined }
    const reply = await askCaches<{ removed: number }>({ method: "POST", path: "/inspect/pinned/remove", query }, options, context)
    if (reply === null) return
    context.out.write(options.json === true ? reply.body : `${plural(reply.value.removed, "site is", "sites are")} opened again\n`)
  })
}

/** Sites as people read them. */
export function pinnedText(pinned: readonly ListedPin[], style: Style, now = Date.now()): string {
  if (pinned.length === 0) return "every site is opened that the rules say\n"
  const rows = pinned.map(({ host, client, listener, until }) => [
    printable(host),
    client === "" ? "all" : printable(client),
    listener,
    age(Math.max(0, until - now)),
  ])
  return `${columns([["HOST", "CLIENT", "LISTENER", "LEFT"], ...rows], [false, false, false, true])}${style.dim(plural(pinned.length, "site", "sites"))}\n`
}
