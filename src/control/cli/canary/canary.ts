import type { Command } from "commander"
import type { CanaryStatus } from "../../canary/canary-status.ts"
import { addAdminOptions, type AdminOptions } from "../admin-options.ts"
import { askCaches, type Question } from "../cache/admin/ask-caches.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { canaryText } from "./canary-text.ts"

interface CanaryOptions extends AdminOptions {
  readonly to?: string
  readonly json?: boolean
}

const examples = `
ROUTE may be left out where only one route has a split. Every change holds from the next request on, in all workers, without a reload; clients that stick
move only as far as the share does. What the config says stays in the config: put it there, or name a file with split.persist, to keep it over a restart.

Examples:
  bothways canary start shop             the first of its steps; from there by itself, where auto is on
  bothways canary start shop --to 5%     as much as you say
  bothways canary step shop              the next step now
  bothways canary promote shop           all of it: the switch of blue-green, too
  bothways canary abort shop             back to the share before, at once, also after promote
  bothways canary status --json
`

interface Action {
  readonly name: string
  readonly about: string
  readonly takesShare: boolean
}

const actions: readonly Action[] = [
  { name: "start", about: "give the canary its first share", takesShare: true },
  { name: "step", about: "give it the next share, or the one you name", takesShare: true },
  { name: "promote", about: "give it everything", takesShare: false },
  { name: "abort", about: "give it the share that it had before it started", takesShare: false },
]

/** `bothways canary …`: what a running instance's splits do, and how much the canary gets. */
export function addCanary(program: Command, context: CommandContext): void {
  const canary = program.command("canary").description("start, step, promote and abort canaries of a running instance").addHelpText("after", examples)
  const status = canary
    .command("status")
    .description("shares, requests, failures and times of the arms, and what is thought of them")
    .argument("[route]")
  addAdminOptions(status.option("--json", "as JSON")).action((route: string | undefined, options: CanaryOptions) =>
    ask({ method: "GET", path: "/canary", query: { route } }, options, context),
  )
  for (const { name, about, takesShare } of actions) {
    const command = canary.command(name).description(about).argument("[route]")
    if (takesShare) command.option("--to <share>", "a share such as 30%")
    addAdminOptions(command.option("--json", "as JSON")).action((route: string | undefined, options: CanaryOptions) =>
      ask({ method: "POST", path: `/canary/${name}`, query: { route, to: options.to } }, options, context),
    )
  }
}

async function ask(question: Question, options: CanaryOptions, context: CommandContext): Promise<void> {
  const reply = await askCaches<{ splits: readonly CanaryStatus[] }>(question, options, context)
  if (reply === null) return
  context.out.write(options.json === true ? reply.body : canaryText(reply.value.splits, styleOf(context.out, context.env)))
}
