import type { Command } from "commander"
import { loadConfig } from "../../../config/index.ts"
import { applyCapture, CaptureError, captureOwner, ownerOf, removeCapture } from "../../capture/capture-kernel.ts"
import { type CapturePlan, capturePlan } from "../../capture/capture-plan.ts"
import { captureRoutes, captureRules } from "../../capture/capture-rules.ts"
import { printProblems } from "../config-problems.ts"
import { EXIT } from "../exit-codes.ts"
import type { CommandContext } from "../program.ts"

/** Rules that are made by hand belong to nobody who could take them back. */
const BY_HAND = "command"

const examples = `
Examples:
  bothways capture show bothways.yaml     the rules of its \`capture\`, as nftables reads them
  bothways capture apply bothways.yaml    put them in force now; they stay until they are removed
  bothways capture remove                 end the capture, also after a crash of a proxy with a kill switch
`

/** `bothways capture show|apply|remove`. */
export function addCapture(program: Command, context: CommandContext): void {
  const capture = program.command("capture").description("nftables rules that bring connections to this proxy").addHelpText("after", examples)
  capture
    .command("show <config>")
    .description("print the rules; nothing is changed")
    .action((file: string) => withPlan(file, context, plan => context.out.write(shown(plan))))
  capture
    .command("apply <config>")
    .description("put the rules in force (root or CAP_NET_ADMIN)")
    .action((file: string) => withPlan(file, context, plan => apply(plan, context)))
  capture
    .command("remove")
    .description("take the rules back, whoever made them")
    .action(() => {
      attempt(context, () => {
        context.out.write(removeCapture() ? "removed: nothing is captured any more\n" : "there are no rules of ours\n")
      })
    })
}

function apply(plan: CapturePlan, context: CommandContext): void {
  attempt(context, () => {
    const before = captureOwner()
    if (before !== "" && before !== ownerOf(BY_HAND)) context.err.write("bothways: the rules of a running proxy are replaced\n")
    applyCapture(plan, BY_HAND)
    context.out.write("in force, until `bothways capture remove`\n")
  })
}

function attempt(context: CommandContext, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error
    context.err.write(`bothways: ${error.message}\n`)
    context.exit(EXIT.failed)
  }
}

async function withPlan(file: string, context: CommandContext, use: (plan: CapturePlan) => void): Promise<void> {
  const loaded = await loadConfig(file)
  if (!loaded.ok) {
    printProblems(loaded.problems, null, context)
    context.exit(EXIT.badConfig)
    return
  }
  const plan = capturePlan(loaded.config)
  if (plan === null) {
    context.err.write(`bothways: ${file} captures nothing; it has no \`capture\`\n`)
    context.exit(EXIT.failed)
    return
  }
  use(plan)
}

/** What one would type. */
function shown(plan: CapturePlan): string {
  const routes = captureRoutes(plan).map(args => `# ip ${args.join(" ")}\n`)
  return `${routes.join("")}# nft -f - <<'END'\n${captureRules(plan, ownerOf(BY_HAND))}# END\n`
}
